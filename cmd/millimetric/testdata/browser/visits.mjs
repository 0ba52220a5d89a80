// Opens the pages of a site in a real browser, does there what visitors do, and says what was seen.
//
//   node visits.mjs '{"browser":path,"site":origin,"collectors":[origin,…],"key":…,"denied":folder}'
//
// The key is a read key of the first collector. Prints one JSON object: by visit, the requests to the collectors, the cookies, what is stored, and the errors.
import { chromium } from "playwright-core";

const { browser: executablePath, site, collectors, key, denied } = JSON.parse(process.argv[2]);

// What a browser with a window says: the server counts one without as a bot. It is an argument and no setting
// of a page, for beacons outlive their page.
const userAgent = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36";
const args = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
  "--disable-background-networking", "--disable-component-update", "--disable-sync", `--user-agent=${userAgent}`];
const settings = { locale: "de-DE", timezoneId: "Europe/Berlin", viewport: { width: 800, height: 600 } };

// What takes longer is taken for broken. It is long, for the machine may be busy with other tests.
const patience = 120_000;
/** Pages that are open at a time. */
const width = 4;

const sends = (request) => request.method() === "POST" && collectors.some((c) => request.url().startsWith(c));
// Until the server has answered: then the event is stored.
const stored = (page) => page.waitForResponse((r) => sends(r.request()) && r.ok(), { timeout: patience });
const settle = (page) => page.waitForTimeout(500);

/** Waits until the server has so many events of a visit, whichever way they came. */
async function has(visit, many) {
  for (const end = Date.now() + patience; Date.now() < end; ) {
    const answer = await fetch(`${collectors[0]}/v1/query?from=2000-01-01&to=2100-01-01&limit=1000`, { headers: { Authorization: `Bearer ${key}` } });
    const { rows } = await answer.json();
    if (rows.filter((row) => row.url?.startsWith(`${site}/${visit}`)).length >= many) return;
    await new Promise((done) => setTimeout(done, 300));
  }
  throw new Error(`the server never had ${many} events of ${visit}`);
}

/** What visitors do, by the first part of the address of the page that they open. */
const visits = {
  async first(page) {
    await Promise.all([stored(page), page.goto(`${site}/first?utm_source=news&utm_medium=email&gclid=g1&other=x`, { referer: "https://search.example/" })]);
    await settle(page);
    const strict = page.waitForEvent("console", { timeout: patience }).then((message) => message.text());
    await page.evaluate(() => document.body.setAttribute("style", "color: red"));
    return { strict: await strict };
  },
  async routes(page) {
    await Promise.all([stored(page), page.goto(`${site}/routes`)]);
    await page.evaluate(() => {
      history.pushState({}, "", "/routes/a");
      history.replaceState({}, "", "/routes/a?q=typed"); // no other route
      history.replaceState({}, "", "/routes/b"); // one that redirects
      history.pushState({}, "", "/routes/b?page=2");
      location.hash = "part"; // no other route
    });
    await settle(page);
    await page.goBack();
    await page.goBack(); // from ?page=2 to /routes/b
    await settle(page);
    await page.evaluate(() => dispatchEvent(new PageTransitionEvent("pageshow", { persisted: true })));
    await has("routes", 6);
  },
  async cached(page) {
    await Promise.all([stored(page), page.goto(`${site}/cached`)]);
    await page.goto(`${site}/nothing`);
    await page.goBack({ waitUntil: "commit" }); // a page that comes back from the browser's cache isn't loaded
    await has("cached", 2);
  },
  dnt: quiet,
  gpc: quiet,
  async leave(page) {
    await page.goto(`${site}/leave`);
    await page.evaluate(() => mm.track("last words", { said: "good-bye" }));
    await page.goto("about:blank");
    await has("leave", 2);
  },
  async hidden(page) {
    await page.goto(`${site}/hidden`);
    await page.evaluate(() => {
      Object.defineProperty(Document.prototype, "hidden", { get: () => true });
      document.dispatchEvent(new Event("visibilitychange", { bubbles: true }));
    });
    await has("hidden", 1);
    await Promise.all([stored(page), page.evaluate(() => mm.flush())]); // the page lives on
  },
  async offline(page, context) {
    await Promise.all([stored(page), page.goto(`${site}/offline`)]);
    await context.setOffline(true);
    const failed = page.waitForEvent("requestfailed", { predicate: sends, timeout: patience });
    await page.evaluate(() => { for (let i = 0; i < 30; i++) mm.track("away", { i }); });
    await failed;
    await Promise.all([stored(page), context.setOffline(false)]);
  },
  async lost(page, context) {
    let answers = 0;
    await context.route((url) => collectors.includes(url.origin) && url.pathname.endsWith("/batch"), async (route) => {
      if (answers++ > 0) return route.continue();
      await route.fetch(); // the server has it,
      await route.abort("connectionreset"); // the page doesn't hear of it
    });
    await Promise.all([stored(page), page.goto(`${site}/lost`)]);
    return { answers };
  },
  async large(page) {
    await Promise.all([stored(page), page.goto(`${site}/large`)]);
    const last = page.waitForResponse((r) => r.ok() && (r.request().postData() ?? "").includes('"after"'), { timeout: patience });
    await page.evaluate(() => {
      for (let i = 0; i < 10; i++) mm.track("large", { i, text: "é".repeat(3000) });
      mm.track("too large", { text: "x".repeat(9000) }); // refused by the server
      mm.track("no json", { big: 1n });
      mm.track("after");
    });
    await last;
  },
  async ahead(page, context) {
    await context.addInitScript(() => {
      const Right = Date;
      globalThis.Date = class extends Right {
        constructor() { super(Right.now() + 3 * 24 * 3600 * 1000); }
      };
    });
    await Promise.all([stored(page), page.goto(`${site}/ahead`)]);
  },
  async stub(page) {
    await Promise.all([stored(page), page.goto(`${site}/stub`)]);
    return { id: await page.evaluate(() => mm.getAnonymousId()) };
  },
  async module(page) {
    await Promise.all([stored(page), page.goto(`${site}/module`)]);
    return { global: await page.evaluate(() => typeof window.mm) };
  },
  async renamed(page) {
    await Promise.all([stored(page), page.goto(`${site}/renamed`)]);
  },
  async storage(page) {
    await Promise.all([stored(page), page.goto(`${site}/storage`)]);
    const refused = await page.evaluate(() => { try { return localStorage.length; } catch (error) { return error.name; } });
    await Promise.all([stored(page), page.evaluate(() => mm.track("stays"))]);
    return { refused };
  },
};

async function quiet(page) {
  await page.goto(`${site}/${page.visit}`);
  const id = await page.evaluate(() => {
    mm.track("secret");
    mm.identify("ann");
    mm.page("secret");
    mm.setAnonymousId("mine");
    history.pushState({}, "", "/secret");
    mm.flush();
    return mm.getAnonymousId();
  });
  await settle(page);
  await page.goto(`${site}/nothing`);
  await settle(page);
  return { id };
}

async function visit(name, context) {
  const said = { sent: [], errors: [] };
  context.on("request", (request) => {
    if (sends(request)) said.sent.push(`${request.resourceType()} ${new URL(request.url()).pathname}`);
  });
  context.setDefaultTimeout(patience);
  const page = context.pages()[0] ?? (await context.newPage());
  page.visit = name;
  page.on("console", (message) => message.type() === "error" && said.errors.push(message.text()));
  page.on("pageerror", (error) => said.errors.push(String(error)));
  Object.assign(said, await visits[name](page, context));
  said.cookies = (await context.cookies()).length;
  said.kept = await page.evaluate(() => { try { return { ...localStorage }; } catch { return null; } });
  await context.close();
  return said;
}

const said = {};

async function visitAll() {
  const browser = await chromium.launch({ executablePath, args, timeout: patience, ignoreDefaultArgs: ["--disable-back-forward-cache"] });
  const names = Object.keys(visits).filter((name) => name !== "storage");
  const go = async () => {
    const name = names.shift();
    if (!name) return;
    const context = await browser.newContext(settings);
    if (name === "dnt") await context.addInitScript(() => Object.defineProperty(Navigator.prototype, "doNotTrack", { get: () => "1" }));
    if (name === "gpc") await context.addInitScript(() => Object.defineProperty(Navigator.prototype, "globalPrivacyControl", { get: () => true }));
    said[name] = await visit(name, context);
    await go();
  };
  await Promise.all(Array.from({ length: width }, go));
  await browser.close();
}

/** Whether pages may store anything is a setting of the whole browser. */
async function visitDenied() {
  said.storage = await visit("storage", await chromium.launchPersistentContext(denied, { executablePath, args, timeout: patience, ...settings }));
}

await Promise.all([visitAll(), visitDenied()]);
console.log(JSON.stringify(said));
