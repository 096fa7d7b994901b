import type { ComponentType } from "preact";

/** A page of the studio. */
export interface Page {
  /** Where it stands in the address: `#/<path>`. */
  readonly path: string;
  /** A few words, for navigation and the window's title. */
  readonly title: string;
  /** One sentence, for the cards that lead to it. */
  readonly summary: string;
  /** Fetches the page's code when it is first shown: `() => import("./counterexample/page.js")`. */
  load(): Promise<{ default: ComponentType }>;
}
