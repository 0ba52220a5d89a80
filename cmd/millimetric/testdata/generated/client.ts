// Tracks events and reads them back, with types that were generated from the document that the server
// serves: where the document and this program disagree, it doesn't compile.
//
//   node out/client.js url secret-key read-key
import createClient from "openapi-fetch";
import type { paths } from "./api.js";

const [url, secret, read] = process.argv.slice(2);
const sender = createClient<paths>({ baseUrl: url, headers: { Authorization: `Bearer ${secret}` } });
const reader = createClient<paths>({ baseUrl: url, headers: { Authorization: `Bearer ${read}` } });

const tracked = await sender.POST("/v1/track", { body: { event: "signup", event_id: "one", anonymous_id: "ann", properties: { plan: "pro" } } });
const batched = await sender.POST("/v1/batch", {
  body: { events: [{ event: "signup", event_id: "one" }, { event: "purchase", anonymous_id: "ann", properties: { amount: 12.5 } }] },
});

const range = { from: "2026-04-30", to: "2026-05-03" };
const stats = await reader.GET("/v1/stats", { params: { query: { ...range, group_by: ["event_name"] } } });
const events = await reader.GET("/v1/query", { params: { query: { ...range, filters: JSON.stringify([{ field: "event_name", op: "eq", value: "purchase" }]) } } });
const funnel = await reader.POST("/v1/funnel", { body: { ...range, steps: [{ event: "signup" }, { event: "purchase", within: "2d" }] } });
const refused = await reader.GET("/v1/stats", { params: { query: { ...range, metric: "median" } } });

// An answer may also come as a table or a picture, which are text; no such thing was asked for.
function parsed<T>(data: T | string | undefined): T {
  if (data === undefined || typeof data === "string") throw new Error(`no JSON: ${data}`);
  return data;
}

console.log(JSON.stringify({
  tracked: tracked.data?.event_id, count: batched.data?.count,
  names: parsed(stats.data).rows.map((row) => row.value), as_of: parsed(stats.data).as_of,
  purchases: parsed(events.data).rows.map((row) => row.anonymous_id),
  reached: parsed(funnel.data).steps.map((step) => step.actors),
  refused: refused.error?.error, fields: Object.keys(refused.error?.details?.fieldErrors ?? {}),
}));
