/** All pages. */
import type { Page } from "../browser/page.js";
import { ideas } from "./ideas/index.js";
import { work } from "./work.js";

export const home: Page = {
  path: "",
  title: "Monotone Flows studio",
  summary: "",
  load: () => import("./home/page.js"),
};

export { ideas, work };
export const pages: readonly Page[] = [home, ...work, ...ideas];
