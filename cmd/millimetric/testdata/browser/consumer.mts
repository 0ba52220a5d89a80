// A site that is built from modules, checked against the package's types. It runs where there is no page, too.
import { init, mm, track, type Mm, type Options, type Properties } from "@millimetric/browser";

const options: Options = { key: "pk_live_k", host: "https://stats.example", autoPageView: false, flushIntervalMs: 1, flushBatchSize: 2, respectDnt: true };
init(options);
track("signup", { plan: "pro" } satisfies Properties);
// @ts-expect-error: events have names
track();
// @ts-expect-error: an option that isn't there
init({ key: "k", hots: "https://stats.example" });
const same: Mm = mm;
same.identify("ann");
same.page();
same.flush();
same.setAnonymousId("");
const id: string = same.getAnonymousId();
console.log(JSON.stringify(id));
