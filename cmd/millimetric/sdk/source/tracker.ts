// What the script and the module share: the calls, the queue, and how it is sent.
//
// 1. An event is written as JSON at once, with an id of its own, and waits in the queue until the server
//    has said that it is stored, or that it never will be.
// 2. One request is under way at a time, so that events arrive in their order.
// 3. A page that is left, or hidden, also sends the queue as a beacon, of which nobody hears whether it
//    arrived. So the events stay queued: if the page lives on, they are sent again, and the server
//    stores each id once.
import type { Mm, Options, Properties } from "./types";

/** Of events that wait. When it is full, later ones are dropped: the first say where a visit came from. */
const queueMax = 500;

/**
 * Of one body. Browsers let a page that is left have 64 KiB under way, beacons and requests together: this
 * leaves room for a beacon beside a request.
 */
const bodyBytesMax = 30_000;

/** Milliseconds between tries while the server can't be reached, at most. */
const waitMax = 300_000;

/** Parameters of the page's address that become properties. */
const campaign = /^(utm_\w+|(dcl|fbcl|gcl|msclk|ttcl|twcl|li_fat_)id|[gw]braid)$/;

/** The longest address that the server takes. */
const addressMax = 2048;

const random = () => Array.from(crypto.getRandomValues(new Uint32Array(4)), (n) => n.toString(36)).join("");

const bytes = (text: string) => new Blob([text]).size;

/** What the page says of itself. */
const context = () => {
  const found: Properties = {
    $viewport: innerWidth + "x" + innerHeight,
    $language: navigator.language,
    $timezone: Intl.DateTimeFormat().resolvedOptions().timeZone,
  };
  new URLSearchParams(location.search).forEach((value, name) => {
    if (campaign.test(name)) found["$" + name] = value;
  });
  return found;
};

/** Makes an SDK that sends to origin + path unless init says otherwise. It touches no page before init. */
export const tracker = (origin: string, path: string): Mm => {
  let key = "";
  let address = "";
  let interval = 2000;
  let batch = 20;
  let respectDnt = true;

  let anonymous = "";
  let user: string | undefined;
  let here = ""; // address of the last page view
  let referrer = "";

  const early: [event: string, properties: Properties | undefined, identifies: boolean | undefined][] = []; // before init
  let queue: string[] = [];
  let dated = true; // whether this machine's clock is of use
  let beaconed = 0; // of the queue, from its head
  let most = queueMax; // events in the next request
  let failures = 0; // requests in a row that brought no answer, or a plea to come later
  let busy = false;
  let timer: ReturnType<typeof setTimeout> | undefined;

  /** Whether the visitor, or the lack of a page, forbids everything. */
  const silent = () =>
    typeof document == "undefined" ||
    navigator.globalPrivacyControl ||
    (respectDnt && (navigator.doNotTrack || window.doNotTrack) == "1");

  const keep = (id: string) => {
    anonymous = ("" + (id || "")).slice(0, 128);
    try {
      localStorage.mm_aid = anonymous;
    } catch {} // kept in memory then
  };

  const visitor = () => {
    try {
      anonymous ||= localStorage.mm_aid;
    } catch {}
    if (!anonymous) keep(random());
    return anonymous;
  };

  /** How many events of the queue fit into one body. */
  const fit = (from: number) => {
    let n = 0;
    let sum = 0;
    while (n < most && from + n < queue.length && (sum += bytes(queue[from + n]!)) < bodyBytesMax) n++;
    return n;
  };

  const body = (from: number, n: number) => `{"events":[${queue.slice(from, from + n)}]}`;

  const later = (wait: number) => {
    timer ||= setTimeout(send, wait);
  };

  const send = async () => {
    clearTimeout(timer);
    timer = undefined;
    if (busy || !key || !queue.length) return;
    busy = true;
    const n = fit(0);
    let status = 0;
    let said = "";
    let wait = interval;
    try {
      // A plain body and the key in the address: the browser needn't ask first whether it may.
      const answer = await fetch(address, { method: "POST", body: body(0, n), keepalive: true, credentials: "omit" });
      status = answer.status;
      wait = +answer.headers.get("Retry-After")! * 1000 || wait;
      said = await answer.text(); // an answer that isn't read counts as under way, and takes of the 64 KiB
    } catch {} // offline, blocked, or the server is away
    busy = false;
    if (!status || status == 429 || status > 499) {
      // With chance, so that not all pages come back at once.
      wait = Math.max(wait, Math.min((interval + 1000) * 2 ** failures++, waitMax) * (0.5 + Math.random()));
    } else {
      failures = 0;
      if (dated && status == 400 && /timestamp"/.test(said)) {
        // A clock that is days ahead: the server's own time is nearer to the truth.
        dated = false;
        queue = queue.map((event) => event.replace(/"timestamp":"[^"]*",/, ""));
      } else if ((status == 400 || status == 413) && n > 1) {
        most = n >> 1; // one of them is bad: the others must not go with it
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

  const put = (event: string, properties?: Properties, identifies?: boolean) => {
    if (silent()) return;
    if (!key) {
      if (early.length < queueMax) early.push([event, properties, identifies]);
      return;
    }
    try {
      const json = JSON.stringify({
        event,
        event_id: random(),
        timestamp: dated ? new Date() : undefined,
        anonymous_id: visitor(),
        user_id: user,
        ...(identifies
          ? { properties }
          : {
              url: location.href.slice(0, addressMax),
              referrer: referrer.slice(0, addressMax),
              properties: { ...context(), ...properties },
            }),
      });
      if (queue.length < queueMax && bytes(json) < bodyBytesMax) queue.push(json);
    } catch {} // properties that are no JSON must not break the page
    if (queue.length < batch || failures) later(interval);
    else send();
  };

  const page = (name?: string, properties?: Properties) => {
    if (key) {
      // Within a page, a view comes from the view before.
      if (here && here != location.href) referrer = here;
      here = location.href;
    }
    put("$pageview", name ? { $page_name: name, ...properties } : properties);
  };

  /** Sends a view if the address, up to what matches end, is another than the last view's. */
  const moved = (end: RegExp) => {
    if (here.split(end)[0] != location.href.split(end)[0]) page();
    here = location.href;
  };

  /** Follows an application from route to route. A route that is replaced is a new one only with a new path: search-as-you-type isn't. */
  const follow = () => {
    for (const [name, end] of [["pushState", /#/], ["replaceState", /[?#]/]] as const) {
      const original = history[name];
      history[name] = (...given) => {
        original.apply(history, given);
        moved(end);
      };
    }
    addEventListener("popstate", () => moved(/#/));
    addEventListener("pageshow", (event) => event.persisted && page());
  };

  const init = (given = {} as Options) => {
    respectDnt = "" + given.respectDnt != "false"; // a word where it comes from the script's tag
    if (silent() || !given.key) return;
    if (document.prerendering) {
      document.addEventListener("prerenderingchange", () => init(given), { once: true });
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
      page();
      follow();
    }
    early.forEach((call) => put(...call));
  };

  return {
    init,
    track: (event, properties) => put(event, properties),
    identify(userId, traits) {
      if (!userId) return; // else all who aren't logged in would be one person
      user = "" + userId;
      put("$identify", traits, true);
    },
    page,
    flush: () => void send(),
    getAnonymousId: () => (silent() ? "" : visitor()),
    setAnonymousId(id) {
      if (silent()) return;
      user = undefined;
      keep(id);
    },
  };
};
