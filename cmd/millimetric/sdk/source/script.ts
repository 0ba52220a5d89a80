// The script that pages load: it sets the global mm, does what the page asked of its stub, and starts by
// itself if its tag says a key. It needs no eval, makes no element and no style, so that a strict
// Content-Security-Policy has nothing to allow but itself and the server.
import { tracker } from "./tracker";
import type { Mm, Options } from "./types";

/** Calls that a page made before the script was there. */
interface Stub {
  q?: Call[];
}

/** Name and arguments; the other calls are replayed alike. */
type Call = ["track", ...Parameters<Mm["track"]>];

const stub = (window.mm || {}) as Stub;
const tag = document.currentScript as HTMLScriptElement | null;

// A second tag must not count everything twice.
if (!window.mm || stub.q) {
  const mm = (window.mm = tracker(tag?.src ? new URL(tag.src).origin : "", collect));
  for (const [name, ...given] of stub.q || []) mm[name](...given);
  if (tag?.dataset.key) mm.init({ ...tag.dataset } as unknown as Options);
}
