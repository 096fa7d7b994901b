/** The ideas of the paper, one interactive page each, in the order in which they build on each other. */
import type { Page } from "../../browser/page.js";

export const ideas: readonly Page[] = [
  {
    path: "ideas/counterexample",
    title: "The counterexample",
    summary: "Slide the factor of G: x + G(x) is invertible although G is far from a contraction.",
    load: () => import("./counterexample/page.js"),
  },
  {
    path: "ideas/monotonicity",
    title: "Strong monotonicity",
    summary: "How steep and how flat a block can be, with networks that are trained for both.",
    load: () => import("./monotonicity/page.js"),
  },
  {
    path: "ideas/construction",
    title: "The geometric construction",
    summary: "Drag a 1-Lipschitz graph, turn it by 45 degrees, and it is the graph of a monotone function.",
    load: () => import("./construction/page.js"),
  },
  {
    path: "ideas/power",
    title: "Expressive power",
    summary: "Pick a target, and watch which formulations can carry a pair of points there.",
    load: () => import("./power/page.js"),
  },
  {
    path: "ideas/activations",
    title: "CPila and its rivals",
    summary: "Values, derivatives, and what is left of a gradient after many layers.",
    load: () => import("./activations/page.js"),
  },
  {
    path: "ideas/staircase",
    title: "Fitting a staircase",
    summary: "Four flows of two blocks learn steps of slopes 1/20 and 20, side by side.",
    load: () => import("./staircase/page.js"),
  },
];
