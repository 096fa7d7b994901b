import { expect, it } from "vitest";
import { byEstimates, unlimit } from "../../test/support/networks.js";
import { Flow, monotoneFlow, Table } from "../library.js";
import { PARTS, type PictureNews, RESOLUTION } from "./messages.js";
import { missingInWords } from "./missing.js";
import { PictureModel } from "./picture-model.js";
import { uncertifiedInWords } from "./uncertified.js";

const EXTENT = [-4, 4, -4, 4] as const;
const declaration = byEstimates(monotoneFlow({ dim: 2, blocks: 2, growth: 8, depth: 1 }));

/** A model, with what it tells; `steep` ones are no contractions, and some of their solves fail. */
async function modelOf(steep: boolean) {
  const flow = await Flow.create(declaration);
  if (steep) unlimit(flow.parameters, 12);
  flow.prepare();
  const sent: PictureNews[] = [];
  const model = await PictureModel.create(declaration, EXTENT, (news) => sent.push(news));
  model.load({ step: 7, parameters: new Map(flow.parameters.list.map((p) => [p.name, p.values.slice()])) });
  const news = async (ask: () => Promise<void>) => {
    sent.length = 0;
    await ask();
    return sent.slice();
  };
  return { flow, model, news };
}

it("counts what fails in pictures and answers, and shows the rest", async () => {
  const { model, news } = await modelOf(true);
  const [density, points] = await news(() => model.draw());
  expect(density.kind === "density" && points.kind === "points").toBe(true);
  for (const picture of [density, points]) {
    if (picture.kind !== "density" && picture.kind !== "points") throw new Error(picture.kind);
    const columns = picture.kind === "points" ? 2 : 1;
    const missing = picture.values.filter(Number.isNaN).length / columns;
    expect(picture.failed).toBe(missing);
    expect(missing).toBeGreaterThan(0);
    expect(missing).toBeLessThan(picture.values.length / columns);
  }
  const answer = async (task: Parameters<PictureModel["answer"]>[1]) => {
    const [said] = await news(() => model.answer(0, task));
    if (said.kind !== "result") throw new Error(JSON.stringify(said));
    // biome-ignore lint/suspicious/noExplicitAny: the fields are what is tested
    return said.result as any;
  };
  const samples = await answer({ kind: "samples", count: 500, seed: 0 });
  expect(samples.values.every(Number.isFinite)).toBe(true);
  expect(samples.values.length / 2).toBeLessThan(500);
  expect(samples.failed).toBe(
    `${500 - samples.values.length / 2} ${samples.failed.slice(samples.failed.indexOf("of 500"))}`,
  );
  const path = await answer({ kind: "path", points: grid() });
  expect(path.failed).toMatch(/of 400 points failed: the solver missed its tolerance/);
  const lost = path.logProb.findIndex(Number.isNaN);
  expect(path.roundTrip[lost]).toBeNaN();
  const tested = await answer({ kind: "model", data: { kind: "toy", name: "rings" }, seed: 0 });
  expect([tested.testLoss, tested.standardError]).toEqual([Number.NaN, Number.NaN]);
  expect(tested.failed).toMatch(/of 10000 test samples failed/);
});

/** Points all over the square. */
const grid = () => Float64Array.from({ length: 800 }, (_, i) => 4 * Math.sin(i * i));

it("says nothing where nothing fails", async () => {
  const { flow, model, news } = await modelOf(false);
  const pictures = await news(() => model.draw());
  expect(pictures.map((picture) => "failed" in picture && picture.failed)).toEqual([0, 0]);
  const points = Float64Array.from([...grid(), 1e30, 0]);
  const [said] = await news(() => model.answer(0, { kind: "path", points }));
  expect(said).toMatchObject({ kind: "result", result: { failed: null, step: 7 } });
  // biome-ignore lint/suspicious/noExplicitAny: the fields are what is tested
  const { logProb, terms, roundTrip } = (said as any).result;
  const x = new Table(401, 2, points);
  expect(logProb).toEqual(await flow.logProb(x));
  const sum = (i: number) =>
    terms.reduce((all: number, { values }: { values: Float64Array }) => all + values[i], 0);
  expect(Array.from(logProb)).toEqual(Array.from(logProb, (_, i) => sum(i)));
  // The last one is outside of the support: it has no latent to come back from.
  expect([logProb[400], roundTrip[400]]).toEqual([Number.NEGATIVE_INFINITY, Number.NaN]);
  expect(Math.max(...roundTrip.subarray(0, 400))).toBeLessThan(1e-4);
  expect(uncertifiedInWords(flow)).toBeNull();
});

it("says what is missing, and that a model is not certified", async () => {
  expect(
    missingInWords(
      PARTS.map(() => 0),
      0,
    ),
  ).toBeNull();
  const places = PARTS.map((_, i) => i);
  expect(missingInWords(places, 3)).toMatch(
    /^120 of 16,384 places of the density and 3 of 1,024 samples could not be computed/,
  );
  expect(places.length * 1024).toBe(RESOLUTION ** 2);
  const { flow } = await modelOf(true);
  expect(uncertifiedInWords(flow)).toMatch(/nothing proves that block [12] is invertible, .* not below 1\./);
});
