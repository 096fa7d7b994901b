import { expect, it } from "vitest";
import { type FlowDeclaration, parseDeclaration } from "./declaration.js";
import { imageFlow } from "./image-flow.js";
import { monotoneFlow } from "./monotone-flow.js";

const vectors = monotoneFlow({ dim: 16, blocks: 1, growth: 4 });
const images = imageFlow({
  ...{ channels: 1, height: 2, width: 2, levels: 5, blocks: [1], growth: 2, depth: 1 },
  connected: { blocks: 0, stem: 1, growth: 2 },
});
const { image, estimator, bijections } = images;
const network = bijections.flatMap((b) => ("network" in b ? [b.network] : []))[0];
const noise = { kind: "variational", network };

// Each last one that is allowed beside the first that is not, and the place that the sentence names.
it.each<[string, FlowDeclaration, object, string | null]>([
  ["exact flows of 16 dimensions", vectors, {}, null],
  ["exact flows of 17 dimensions", vectors, { dim: 17 }, "dim"],
  ["estimated flows of 17 dimensions", vectors, { dim: 17, estimator }, null],
  ["estimated flows of 2^20 dimensions", vectors, { dim: 2 ** 20, estimator }, null],
  ["more", vectors, { dim: 2 ** 20 + 1, estimator }, "dim"],
  ["no dimension", vectors, { dim: 0 }, "dim"],
  ["no bijection", vectors, { bijections: [] }, "bijections"],
  ["4096 bijections", vectors, { bijections: new Array(4096).fill({ kind: "actnorm" }) }, null],
  ["4097 bijections", vectors, { bijections: new Array(4097).fill({ kind: "actnorm" }) }, "bijections"],
  ["images", images, {}, null],
  ["2 levels", images, { image: { ...image, levels: 2 } }, null],
  ["1 level", images, { image: { ...image, levels: 1 } }, "image.levels"],
  ["2^16 levels", images, { image: { ...image, levels: 2 ** 16 } }, null],
  ["more levels", images, { image: { ...image, levels: 2 ** 16 + 1 } }, "image.levels"],
  ["alpha below 1/2", images, { image: { ...image, alpha: 0.4999 } }, null],
  ["alpha 1/2", images, { image: { ...image, alpha: 0.5 } }, "image.alpha"],
  ["an image of another size", images, { image: { ...image, height: 4 } }, "image"],
  ["learned noise on pixels", images, { dequantization: noise }, null],
  ["learned noise on vectors", vectors, { dequantization: noise }, "dequantization"],
  [
    "a mean and a deviation each",
    vectors,
    { standardisation: { mean: Array(16).fill(0), deviation: Array(16).fill(1) } },
    null,
  ],
  [
    "a mean too few",
    vectors,
    { standardisation: { mean: Array(15).fill(0), deviation: Array(16).fill(1) } },
    "standardisation",
  ],
  [
    "a deviation too few",
    vectors,
    { standardisation: { mean: Array(16).fill(0), deviation: Array(15).fill(1) } },
    "standardisation",
  ],
])("judges %s", (_, from, change, place) => {
  const parse = () => parseDeclaration({ ...from, ...change }, "flow.json");
  if (place === null) expect(parse).not.toThrow();
  else expect(parse).toThrow(`flow.json: the flow's declaration is wrong at ${place}:`);
});
