// Runs the script in a made-up page whose clock, network and visitor the test holds in its hands.
//
//   node logic.mjs a.js
//
// Needs nothing but Node. Prints how many cases hold; the first that doesn't ends it.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import vm from "node:vm";

const code = readFileSync(process.argv[2], "utf8");
const turn = () => new Promise((done) => setImmediate(done));

/** A page. What it is made of can be changed before the script is loaded. */
function made({ tag = { key: "pk_live_k" }, answers = [], ...changes } = {}) {
  const timers = new Map();
  const listeners = {};
  const listen = (name, call) => (listeners[name] ??= []).push(call);
  const page = {
    sent: [], beacons: [], stored: {}, room: 65536, waits: [],
    /** Fires an event, and lets what follows from it happen. */
    async tell(name, event = {}) { for (const call of listeners[name] ?? []) call(event); await turn(); },
    /** Lets the next timer fire. */
    async tick() {
      const [[id, [call]]] = timers;
      timers.delete(id);
      call();
      await turn();
    },
    get due() { return [...timers.values()].map(([, wait]) => wait); },
    names: (body) => JSON.parse(body).events.map((e) => e.event),
  };
  const answer = () => answers.shift() ?? { status: 202 };
  const globals = {
    document: { referrer: "https://from.example/", currentScript: { src: "https://stats.example/v1/a.js", dataset: tag }, addEventListener: listen },
    location: new URL("https://shop.example/p?utm_source=a&fbclid=f&x=y"),
    history: { pushState() {}, replaceState() {} },
    navigator: { language: "en", sendBeacon: (to, body) => body.length <= page.room && (page.room -= body.length, page.beacons.push(body) > 0) },
    localStorage: page.stored, addEventListener: listen, innerWidth: 10, innerHeight: 20, crypto, Blob, URL, URLSearchParams,
    fetch: async (to, { body }) => {
      page.sent.push(body);
      const { status, after, said = "" } = answer();
      if (!status) throw new TypeError("offline");
      return { status, headers: new Headers(after ? { "Retry-After": after } : {}), text: async () => said };
    },
    setTimeout: (call, wait) => { const id = {}; timers.set(id, [call, wait]); page.waits.push(wait); return id; },
    clearTimeout: (id) => timers.delete(id),
  };
  for (const [name, value] of Object.entries(changes)) globals[name] = { ...globals[name], ...value };
  globals.window = globals;
  vm.createContext(globals);
  page.globals = globals;
  page.load = () => { vm.runInContext(code, globals); page.mm = globals.mm; };
  page.load();
  return page;
}

const cases = {
  async "a page under prerendering is no view until it is shown"() {
    const page = made({ document: { prerendering: true, currentScript: { src: "https://stats.example/v1/a.js", dataset: { key: "k" } } } });
    page.mm.track("early");
    assert.deepEqual([page.due, page.stored], [[], {}]);
    page.globals.document.prerendering = false;
    page.globals.document.addEventListener = () => {};
    await page.tell("prerenderingchange");
    await page.tick();
    assert.deepEqual(page.names(page.sent[0]), ["$pageview", "early"]);
  },
  async "an event is whole"() {
    const page = made();
    await page.tick();
    const [event] = JSON.parse(page.sent[0]).events;
    assert.match(event.event_id, /^[0-9a-z]{16,28}$/);
    assert.match(event.timestamp, /^20\d\d-.*\.\d{3}Z$/);
    assert.equal(event.anonymous_id, page.stored.mm_aid);
    assert.equal(event.user_id, undefined);
    assert.equal(event.referrer, "https://from.example/");
    assert.deepEqual({ ...event.properties, $timezone: 0 }, { $viewport: "10x20", $language: "en", $timezone: 0, $utm_source: "a", $fbclid: "f" });
  },
  async "ids differ"() {
    const page = made();
    for (let i = 0; i < 400; i++) page.mm.track("x");
    await turn();
    while (page.due.length) await page.tick();
    const ids = page.sent.flatMap((body) => JSON.parse(body).events.map((e) => e.event_id));
    assert.deepEqual([new Set(ids).size, ids.length], [401, 401]);
  },
  async "so many events go at once, in one request"() {
    const page = made({ tag: { key: "k", flushBatchSize: "3" } });
    page.mm.track("a");
    assert.equal(page.sent.length, 0);
    page.mm.track("b");
    page.mm.track("c"); // while the request is under way
    assert.deepEqual(page.sent.map(page.names), [["$pageview", "a", "b"]]);
    await turn();
    await page.tick();
    assert.deepEqual(page.sent.slice(1).map(page.names), [["c"]]);
  },
  async "a server that is away is asked ever more rarely, and nothing is lost"() {
    const page = made({ answers: Array.from({ length: 12 }, () => ({})) });
    page.waits.length = 0;
    for (let i = 0; i < 12; i++) await page.tick();
    for (const [i, wait] of page.waits.entries()) {
      const whole = Math.min(3000 * 2 ** i, 300_000);
      assert.ok(wait >= Math.max(2000, whole / 2) && wait <= Math.max(2000, whole * 1.5), `try ${i}: ${wait}`);
    }
    for (let i = 0; i < 40; i++) page.mm.track("later"); // many events are no reason to ask sooner
    assert.equal(page.sent.length, 12);
    await page.tell("online");
    assert.equal(page.names(page.sent[12]).length, 41);
    assert.deepEqual(new Set(page.sent.slice(0, 12)).size, 1, "a repeat is another event");
  },
  async "a server that says when to come again is heard"() {
    const page = made({ answers: [{ status: 503, after: "60" }, { status: 429, after: "tomorrow" }] });
    await page.tick();
    assert.deepEqual(page.due, [60_000]);
    await page.tick();
    assert.ok(page.due[0] >= 2000 && page.due[0] < 60_000, `${page.due}`);
    await page.tick();
    assert.deepEqual(page.due, []);
  },
  async "a refused key ends what it sent, not the page"() {
    const page = made({ answers: [{ status: 401 }] });
    await page.tick();
    assert.deepEqual(page.due, []);
    page.mm.track("x");
    await page.tick();
    assert.deepEqual(page.names(page.sent[1]), ["x"]);
  },
  async "a clock that the server doesn't believe is left out"() {
    const page = made({ answers: [{ status: 400, said: '{"error":"invalid_payload","details":{"fieldErrors":{"events.1.timestamp":["…"]}}}' }] });
    page.mm.track("a", { text: '"timestamp":"mine",' });
    await page.tick();
    await page.tick();
    const [before, after] = page.sent.map((body) => JSON.parse(body).events);
    assert.ok(before.every((e) => e.timestamp));
    assert.deepEqual(after, before.map(({ timestamp, ...rest }) => rest));
    page.mm.track("b");
    await page.tick();
    assert.equal(JSON.parse(page.sent[2]).events[0].timestamp, undefined);
  },
  async "one bad event goes alone"() {
    const page = made({ answers: [{ status: 400 }, { status: 202 }, { status: 400 }, { status: 400 }, { status: 202 }] });
    for (const name of ["a", "b", "bad"]) page.mm.track(name);
    for (let i = 0; i < 4; i++) await page.tick();
    assert.deepEqual(page.sent.map(page.names), [["$pageview", "a", "b", "bad"], ["$pageview", "a"], ["b", "bad"], ["b"]]);
    await page.tick();
    assert.deepEqual(page.names(page.sent[4]), ["bad"]);
  },
  async "the queue is bounded and keeps the first"() {
    const page = made({ answers: [{}], tag: { key: "k", flushBatchSize: 1000 } });
    for (let i = 0; i < 600; i++) page.mm.track("x", { i });
    while (page.due.length) await page.tick();
    const events = page.sent.slice(1).flatMap((body) => JSON.parse(body).events);
    assert.equal(events.length, 500);
    assert.equal(events.at(-1).properties.i, 498);
    for (const body of page.sent) assert.ok(Buffer.byteLength(body) < 31_000);
  },
  async "what a page that is left says fits into beacons, and is sent again if it lives on"() {
    const page = made();
    for (let i = 0; i < 15; i++) page.mm.track("x", { text: "ü".repeat(2000) });
    page.mm.track("huge", { text: "x".repeat(40_000) });
    await page.tell("pagehide");
    await page.tell("visibilitychange");
    const told = page.beacons.flatMap(page.names);
    assert.equal(told.length, 16);
    for (const body of page.beacons) assert.ok(Buffer.byteLength(body) < 31_000, `${Buffer.byteLength(body)}`);
    while (page.due.length) await page.tick();
    assert.deepEqual(page.sent.flatMap((body) => JSON.parse(body).events), page.beacons.flatMap((body) => JSON.parse(body).events));
    page.mm.track("y");
    await page.tell("pagehide");
    assert.deepEqual(page.names(page.beacons.at(-1)), ["y"]);
  },
  async "what finds no room in a beacon stays"() {
    const page = made();
    page.room = 100;
    await page.tell("pagehide");
    assert.deepEqual(page.beacons, []);
    await page.tick();
    assert.equal(page.sent.length, 1);
  },
  async "Do Not Track can be overruled, Global Privacy Control can't"() {
    for (const [navigator, tag, want] of [
      [{ doNotTrack: "1" }, {}, 0], [{ doNotTrack: "1" }, { respectDnt: "false" }, 1], [{ doNotTrack: "0" }, {}, 1],
      [{ globalPrivacyControl: true }, { respectDnt: "false" }, 0], [{ globalPrivacyControl: false }, {}, 1],
    ]) {
      const page = made({ navigator, tag: { key: "k", ...tag } });
      page.mm.track("x");
      assert.equal(page.due.length, want, JSON.stringify([navigator, tag]));
      assert.equal(Object.keys(page.stored).length, want);
      assert.equal(page.mm.getAnonymousId() === "", !want);
    }
  },
  async "nothing is kept before the page starts it"() {
    const page = made({ tag: {} });
    page.mm.track("a");
    page.mm.identify("ann");
    assert.deepEqual([page.stored, page.due], [{}, []]);
    page.mm.init({ key: "k", host: "https://h.example", path: "/c", autoPageView: false });
    await page.tick();
    assert.deepEqual(page.names(page.sent[0]), ["a", "$identify"]);
  },
  async "a log-out forgets both"() {
    const page = made();
    const before = page.mm.getAnonymousId();
    page.mm.identify("ann");
    page.mm.setAnonymousId("");
    page.mm.track("x");
    await page.tick();
    const events = JSON.parse(page.sent[0]).events;
    assert.deepEqual(events.map((e) => e.user_id), [undefined, "ann", undefined]);
    assert.equal(events[1].anonymous_id, before);
    assert.notEqual(events[2].anonymous_id, before);
    page.mm.setAnonymousId("x".repeat(300));
    assert.equal(page.stored.mm_aid.length, 128);
  },
  async "a second tag changes nothing"() {
    const page = made();
    page.load();
    assert.equal(page.due.length, 1);
  },
  async "calls never throw"() {
    const page = made();
    const round = {};
    round.round = round;
    page.mm.track("round", round);
    page.mm.track();
    page.mm.identify();
    page.mm.page("name", null);
    page.mm.init({});
    page.mm.init();
    await page.tick();
    assert.equal(page.sent.length, 1);
  },
};

for (const [name, run] of Object.entries(cases)) {
  try {
    await run();
  } catch (error) {
    error.message = `${name}: ${error.message}`;
    throw error;
  }
}
console.log(`${Object.keys(cases).length} cases hold`);
