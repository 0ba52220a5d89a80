// What browsers know and TypeScript's own description of them doesn't yet.

interface Navigator {
  /** https://www.w3.org/TR/gpc/ */
  readonly globalPrivacyControl?: boolean;
}

interface Window {
  /** Where Safari and old browsers say what others say in navigator. */
  readonly doNotTrack?: string | null;
}

interface Document {
  readonly prerendering?: boolean;
}

/** The server's path for events: the server writes it at the script's end. */
declare const collect: string;
