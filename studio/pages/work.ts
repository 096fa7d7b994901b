/** The pages that one works with. A new page is a folder with a `page.tsx` and one entry in a list: here, or in ideas/index.ts. */
import type { Page } from "../browser/page.js";

export const work: readonly Page[] = [
  {
    path: "train",
    title: "Train live",
    summary: "Choose or draw a density and watch a flow learn it, alone or beside a residual flow.",
    load: () => import("./train/page.js"),
  },
  {
    path: "inside",
    title: "See inside",
    summary: "Carry points and a grid through every block, from the data to the normal density and back.",
    load: () => import("./inside/page.js"),
  },
  {
    path: "images",
    title: "Images",
    summary: "Draw handwritten digits from a flow with convolutions, or images from a model of your own.",
    load: () => import("./images/page.js"),
  },
];
