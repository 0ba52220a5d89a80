// The same of a site that is built from CommonJS.
import sdk = require("@millimetric/browser");

sdk.init({ key: "pk_live_k" });
sdk.mm.track("signup");
window.mm?.track("signup");
