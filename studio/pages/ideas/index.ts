/** The ideas of the paper, one interactive page each, in the order in which they build on each other. */
import type { Page } from "../../app/page.js";

export const ideas: readonly Page[] = [];
