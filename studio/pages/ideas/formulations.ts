import type { Formulation } from "../../library.js";

/** The three formulations with the words and colours that all pages give them. */
export const formulations = [
  { name: "residual", title: "residual", series: 1 },
  { name: "inverse-residual", title: "inverse residual", series: 3 },
  { name: "monotone", title: "monotone", series: 2 },
] as const satisfies readonly { name: Formulation; title: string; series: number }[];
