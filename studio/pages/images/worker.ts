/** Samples images: latents of the base distribution, times the temperature, through the inverse of the flow. */
import "../../models/no-eval.js";
import { decodeFlow, FailedRows, type Flow, pixelTable } from "../../library.js";
import { serve } from "../../models/serve.js";
import { uncertifiedInWords } from "../../models/uncertified.js";
import type { ImagesNews, ImagesOrder } from "./messages.js";

let flow: Flow;
let levels = 0;

serve<ImagesOrder, ImagesNews>(async (order) => {
  if (order.kind === "open") {
    flow = await decodeFlow(order);
    levels = flow.declaration.image?.levels ?? 0;
    return {
      kind: "opened",
      parameters: flow.parameters.values.length,
      steps: flow.steps,
      uncertified: uncertifiedInWords(flow),
    };
  }
  const { turn, first, count, seed, temperature } = order;
  const z = flow.latents(first + count, seed).slice(first, first + count);
  for (let i = 0; i < z.values.length; i++) z.values[i] *= temperature;
  const failures = new FailedRows();
  const { x } = await flow.inverse(z, { logDet: false, failures });
  return { kind: "images", turn, first, pixels: pixelTable(x, levels).values, failed: failures.count };
});
