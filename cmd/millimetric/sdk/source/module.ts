// The module for pages that are built with a bundler. It touches nothing until init is called, so that it
// can be imported where there is no page.
import { tracker } from "./tracker";
import type { Mm } from "./types";

export const mm: Mm = tracker("", "/v1");
export const { init, track, identify, page, flush, getAnonymousId, setAnonymousId } = mm;
