// The types of the browser SDK, as pages and packages see them. Nothing here is code: the package's
// declaration files are copies of this one.

/** What goes with an event: any JSON object of at most 8 KB. */
export type Properties = Record<string, unknown>;

/** What init takes. */
export interface Options {
  /** A publishable key, `pk_…`. */
  key: string;
  /** Origin of the server, such as `https://stats.example.com`. Default: where the script came from; of the module, the page's own. */
  host?: string;
  /** The server's `--collect-path`, where it has one. Default: `/v1`. */
  path?: string;
  /** Send `$pageview` at load and with each change of route. Default: true. */
  autoPageView?: boolean;
  /** Milliseconds until queued events are sent. Default: 2000. */
  flushIntervalMs?: number;
  /** Number of queued events that are sent at once. Default: 20. */
  flushBatchSize?: number;
  /** Do nothing where the browser says Do Not Track. Default: true. Global Privacy Control is always honoured. */
  respectDnt?: boolean;
}

/** The SDK. Its calls never throw, and wait for nothing. */
export interface Mm {
  /** Starts sending; what was called before is sent then. Called again, it changes the options. */
  init(options: Options): void;
  /** Sends an event. */
  track(event: string, properties?: Properties): void;
  /** Says who the visitor is. Later events of this page carry the user, too. */
  identify(userId: string, traits?: Properties): void;
  /** Sends a `$pageview`; a name becomes its property `$page_name`. */
  page(name?: string, properties?: Properties): void;
  /** Sends now what is queued. */
  flush(): void;
  /** The visitor's id, made at first use; `""` where nothing may be kept. */
  getAnonymousId(): string;
  /** Makes it another id, and forgets the user of `identify`; `""` for a new random one. */
  setAnonymousId(id: string): void;
}

export declare const mm: Mm;
export declare const init: Mm["init"];
export declare const track: Mm["track"];
export declare const identify: Mm["identify"];
export declare const page: Mm["page"];
export declare const flush: Mm["flush"];
export declare const getAnonymousId: Mm["getAnonymousId"];
export declare const setAnonymousId: Mm["setAnonymousId"];

declare global {
  interface Window {
    /** Set by the script; the module sets nothing. */
    mm?: Mm;
  }
}
