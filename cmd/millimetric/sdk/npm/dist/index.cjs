var __defProp = Object.defineProperty;
var __getOwnPropDesc = Object.getOwnPropertyDescriptor;
var __getOwnPropNames = Object.getOwnPropertyNames;
var __hasOwnProp = Object.prototype.hasOwnProperty;
var __export = (target, all) => {
  for (var name in all)
    __defProp(target, name, { get: all[name], enumerable: true });
};
var __copyProps = (to, from, except, desc) => {
  if (from && typeof from === "object" || typeof from === "function") {
    for (let key of __getOwnPropNames(from))
      if (!__hasOwnProp.call(to, key) && key !== except)
        __defProp(to, key, { get: () => from[key], enumerable: !(desc = __getOwnPropDesc(from, key)) || desc.enumerable });
  }
  return to;
};
var __toCommonJS = (mod) => __copyProps(__defProp({}, "__esModule", { value: true }), mod);

// module.ts
var module_exports = {};
__export(module_exports, {
  flush: () => flush,
  getAnonymousId: () => getAnonymousId,
  identify: () => identify,
  init: () => init,
  mm: () => mm,
  page: () => page,
  setAnonymousId: () => setAnonymousId,
  track: () => track
});
module.exports = __toCommonJS(module_exports);

// tracker.ts
var queueMax = 500;
var bodyBytesMax = 3e4;
var waitMax = 3e5;
var campaign = /^(utm_\w+|(dcl|fbcl|gcl|msclk|ttcl|twcl|li_fat_)id|[gw]braid)$/;
var addressMax = 2048;
var random = () => Array.from(crypto.getRandomValues(new Uint32Array(4)), (n) => n.toString(36)).join("");
var bytes = (text) => new Blob([text]).size;
var context = () => {
  const found = {
    $viewport: innerWidth + "x" + innerHeight,
    $language: navigator.language,
    $timezone: Intl.DateTimeFormat().resolvedOptions().timeZone
  };
  new URLSearchParams(location.search).forEach((value, name) => {
    if (campaign.test(name)) found["$" + name] = value;
  });
  return found;
};
var tracker = (origin, path) => {
  let key = "";
  let address = "";
  let interval = 2e3;
  let batch = 20;
  let respectDnt = true;
  let anonymous = "";
  let user;
  let here = "";
  let referrer = "";
  const early = [];
  let queue = [];
  let dated = true;
  let beaconed = 0;
  let most = queueMax;
  let failures = 0;
  let busy = false;
  let timer;
  const silent = () => typeof document == "undefined" || navigator.globalPrivacyControl || respectDnt && (navigator.doNotTrack || window.doNotTrack) == "1";
  const keep = (id) => {
    anonymous = ("" + (id || "")).slice(0, 128);
    try {
      localStorage.mm_aid = anonymous;
    } catch {
    }
  };
  const visitor = () => {
    try {
      anonymous || (anonymous = localStorage.mm_aid);
    } catch {
    }
    if (!anonymous) keep(random());
    return anonymous;
  };
  const fit = (from) => {
    let n = 0;
    let sum = 0;
    while (n < most && from + n < queue.length && (sum += bytes(queue[from + n])) < bodyBytesMax) n++;
    return n;
  };
  const body = (from, n) => `{"events":[${queue.slice(from, from + n)}]}`;
  const later = (wait) => {
    timer || (timer = setTimeout(send, wait));
  };
  const send = async () => {
    clearTimeout(timer);
    timer = void 0;
    if (busy || !key || !queue.length) return;
    busy = true;
    const n = fit(0);
    let status = 0;
    let said = "";
    let wait = interval;
    try {
      const answer = await fetch(address, { method: "POST", body: body(0, n), keepalive: true, credentials: "omit" });
      status = answer.status;
      wait = +answer.headers.get("Retry-After") * 1e3 || wait;
      said = await answer.text();
    } catch {
    }
    busy = false;
    if (!status || status == 429 || status > 499) {
      wait = Math.max(wait, Math.min((interval + 1e3) * 2 ** failures++, waitMax) * (0.5 + Math.random()));
    } else {
      failures = 0;
      if (dated && status == 400 && /timestamp"/.test(said)) {
        dated = false;
        queue = queue.map((event) => event.replace(/"timestamp":"[^"]*",/, ""));
      } else if ((status == 400 || status == 413) && n > 1) {
        most = n >> 1;
      } else {
        queue.splice(0, n);
        beaconed = Math.max(0, beaconed - n);
        if (status < 400) most = queueMax;
      }
    }
    if (queue.length) later(wait);
  };
  const beacon = () => {
    for (let n; key && (n = fit(beaconed)) && navigator.sendBeacon(address, body(beaconed, n)); ) beaconed += n;
  };
  const put = (event, properties, identifies) => {
    if (silent()) return;
    if (!key) {
      if (early.length < queueMax) early.push([event, properties, identifies]);
      return;
    }
    try {
      const json = JSON.stringify({
        event,
        event_id: random(),
        timestamp: dated ? /* @__PURE__ */ new Date() : void 0,
        anonymous_id: visitor(),
        user_id: user,
        ...identifies ? { properties } : {
          url: location.href.slice(0, addressMax),
          referrer: referrer.slice(0, addressMax),
          properties: { ...context(), ...properties }
        }
      });
      if (queue.length < queueMax && bytes(json) < bodyBytesMax) queue.push(json);
    } catch {
    }
    if (queue.length < batch || failures) later(interval);
    else send();
  };
  const page2 = (name, properties) => {
    if (key) {
      if (here && here != location.href) referrer = here;
      here = location.href;
    }
    put("$pageview", name ? { $page_name: name, ...properties } : properties);
  };
  const moved = (end) => {
    if (here.split(end)[0] != location.href.split(end)[0]) page2();
    here = location.href;
  };
  const follow = () => {
    for (const [name, end] of [["pushState", /#/], ["replaceState", /[?#]/]]) {
      const original = history[name];
      history[name] = (...given) => {
        original.apply(history, given);
        moved(end);
      };
    }
    addEventListener("popstate", () => moved(/#/));
    addEventListener("pageshow", (event) => event.persisted && page2());
  };
  const init2 = (given = {}) => {
    respectDnt = "" + given.respectDnt != "false";
    if (silent() || !given.key) return;
    if (document.prerendering) {
      document.addEventListener("prerenderingchange", () => init2(given), { once: true });
      return;
    }
    const first = !key;
    key = given.key;
    address = (given.host ?? origin).replace(/\/$/, "") + (given.path ?? path) + "/batch?key=" + key;
    interval = +(given.flushIntervalMs ?? interval);
    batch = +(given.flushBatchSize ?? batch);
    if (!first) return;
    referrer = document.referrer;
    addEventListener("online", () => {
      failures = 0;
      send();
    });
    addEventListener("pagehide", beacon);
    addEventListener("visibilitychange", () => document.hidden && beacon());
    if ("" + given.autoPageView != "false") {
      page2();
      follow();
    }
    early.forEach((call) => put(...call));
  };
  return {
    init: init2,
    track: (event, properties) => put(event, properties),
    identify(userId, traits) {
      if (!userId) return;
      user = "" + userId;
      put("$identify", traits, true);
    },
    page: page2,
    flush: () => void send(),
    getAnonymousId: () => silent() ? "" : visitor(),
    setAnonymousId(id) {
      if (silent()) return;
      user = void 0;
      keep(id);
    }
  };
};

// module.ts
var mm = tracker("", "/v1");
var { init, track, identify, page, flush, getAnonymousId, setAnonymousId } = mm;
