/** Calls on one flow never disturb each other, and a live flow is what a save and a load of it give. */
import { describe, expect, it } from "vitest";
import { rankPrograms } from "../../test/support/rank-programs.js";
import { tableSource, toySource } from "../data/source.js";
import { Flow } from "../flows/flow.js";
import { decodeFlow, encodeFlow } from "../flows/model-encoding.js";
import { type FlowOptions, monotoneFlow } from "../flows/monotone-flow.js";
import { alone } from "../ranks/communicator.js";
import { RankMaps } from "../ranks/rank-maps.js";
import { Table } from "../table.js";
import { fit as fitted } from "./fit.js";
import type { TrainingJob } from "./job.js";
import { train } from "./train.js";
import { Trainer } from "./trainer.js";

const programs = await rankPrograms();
const SMALL: FlowOptions = { dim: 2, blocks: 2, depth: 2, growth: 8 };
const rows = toySource("moons").test(1, 40);
const moons = toySource("moons");
const flowOf = (options: Partial<FlowOptions> = {}, capacity = 16) =>
  Flow.create(monotoneFlow({ ...SMALL, ...options }), { seed: 3, capacity });
/** The densities of a save that has been loaded again. */
const saved = async (flow: Flow) => {
  const copy = await decodeFlow(encodeFlow(flow), { capacity: flow.capacity });
  return await copy.logProb(rows);
};
const TRAINING = { batch: 24, learningRate: 1e-2, seed: 5 };

describe.each<[string, Partial<FlowOptions>]>([
  ["a Monotone Flow", {}],
  ["a residual flow with actnorms", { formulation: "residual", activation: "CLipSwish", actnorm: true }],
  ["a flow on a Student t", { base: { kind: "student-t" } }],
])("%s", (_, options) => {
  it("is what a save gives, in hooks, after training and after errors", async () => {
    const flow = await flowOf(options);
    const same = async () => expect(await flow.logProb(rows)).toEqual(await saved(flow));
    await fitted(flow, moons, { ...TRAINING, steps: 6, averaging: 0.9, onStep: same });
    await same();
    const thrown = fitted(flow, moons, {
      ...TRAINING,
      steps: 9,
      onStep: (step) => {
        if (step === 3) throw new Error("enough");
      },
    });
    await expect(thrown).rejects.toThrow("enough");
    await same();
  });

  it("answers a hook that does not wait with the weights of one moment", async () => {
    const flow = await flowOf(options);
    const snapshots = [await saved(flow)];
    const answers: Promise<Float64Array>[] = [];
    await fitted(flow, moons, {
      ...TRAINING,
      steps: 6,
      async onStep() {
        snapshots.push(await saved(flow));
        answers.push(flow.logProb(rows));
      },
    });
    snapshots.push(await saved(flow));
    for (const answer of await Promise.all(answers)) expect(snapshots).toContainEqual(answer);
  });
});

it("gives averaged weights after a fit that asks for them", async () => {
  const [flow, other] = [await flowOf(), await flowOf()];
  const training = { ...TRAINING, steps: 8, averaging: 0.9 };
  await fitted(flow, moons, training);
  const trainer = new Trainer(other, moons, { l2: 1e-5, ...training }, alone);
  while (trainer.step < 8) await trainer.advance();
  const last = await other.logProb(rows);
  await trainer.finish();
  expect(await flow.logProb(rows)).toEqual(await other.logProb(rows));
  expect(await flow.logProb(rows)).not.toEqual(last);
});

it("refuses a second fit while one is going on, which it does not disturb", async () => {
  const [flow, alike] = [await flowOf(), await flowOf()];
  const training = { ...TRAINING, steps: 5 };
  const first = fitted(flow, moons, training);
  await expect(fitted(flow, toySource("2spirals"), training)).rejects.toThrow(/being fitted by another call/);
  expect(await first).toBe(await fitted(alike, moons, training));
  expect(await flow.logProb(rows)).toEqual(await alike.logProb(rows));
  await fitted(flow, moons, training);
});

it.each([1, 2])(
  "maps rows by %i ranks with the weights of one moment, while the flow is in training",
  async (ranks) => {
    const flow = await flowOf({}, 64);
    const many = moons.test(2, 4_000);
    const maps = await RankMaps.create(flow, { ranks, patience: 0, program: programs.mapping });
    const snapshots: Float64Array[] = [];
    let answer: Promise<Float64Array> | null = null;
    try {
      await fitted(flow, moons, {
        ...TRAINING,
        steps: 12,
        async onStep(step) {
          if (step === 2) answer = maps.logProb(many);
          const copy = await decodeFlow(encodeFlow(flow), { capacity: flow.capacity });
          snapshots.push(await copy.logProb(many));
        },
      });
      snapshots.push(await flow.logProb(many));
      expect(snapshots).toContainEqual(await answer);
    } finally {
      await maps.close();
    }
  },
);

it("reads what a call is given at the call", async () => {
  const flow = await flowOf();
  const expected = await flow.logProb(rows);
  const maps = await RankMaps.create(flow, { ranks: 1 });
  for (const map of [flow, maps]) {
    const table = Table.copy(rows);
    const options = { seed: 0 };
    const busy = flow.logProb(rows);
    const answers = [map.logProb(table, options), map.forward(table).then(({ z }) => z)] as const;
    table.values.fill(7);
    await busy;
    expect(await answers[0]).toEqual(expected);
    expect(await answers[1]).toEqual((await flow.forward(rows)).z);
  }
});

it("draws samples in turn", async () => {
  const flow = await flowOf({ base: { kind: "student-t" } });
  const before = await flow.sample(20, { seed: 1 });
  const drawn: Promise<Table>[] = [];
  await fitted(flow, moons, {
    ...TRAINING,
    steps: 3,
    onStep: (step) => void (step === 1 && drawn.push(flow.sample(20, { seed: 1 }))),
  });
  expect(await Promise.all(drawn)).not.toContainEqual(before);
});

describe("a signal", () => {
  it("ends a map with its reason, and leaves the flow as it was", async () => {
    const flow = await flowOf();
    const expected = await flow.logProb(rows);
    const many = moons.test(2, 20_000);
    const controller = new AbortController();
    const running = flow.logProb(many, { signal: controller.signal });
    const waiting = flow.sample(100, { signal: controller.signal });
    const other = flow.logProb(rows);
    setTimeout(() => controller.abort(new Error("enough")), 20);
    await expect(waiting).rejects.toThrow("enough");
    await expect(running).rejects.toThrow("enough");
    expect(await other).toEqual(expected);
    await expect(flow.forward(rows, { signal: controller.signal })).rejects.toThrow("enough");
  });

  it("ends a fit between two blocks, and its flow is that of the last whole step", async () => {
    const [flow, alike] = [await flowOf(), await flowOf()];
    const controller = new AbortController();
    const { pause } = flow.chain;
    let left = Number.POSITIVE_INFINITY;
    flow.chain.pause = async () => {
      if (--left === 0) controller.abort();
      await pause?.();
    };
    const stopped = fitted(flow, moons, {
      ...TRAINING,
      steps: 50,
      signal: controller.signal,
      onStep: (step) => {
        if (step === 4) left = 3;
      },
    });
    await expect(stopped).rejects.toMatchObject({ name: "AbortError" });
    const trainer = new Trainer(alike, moons, { l2: 1e-5, ...TRAINING, steps: 50 }, alone);
    for (let step = 0; step < 4; step++) await trainer.advance();
    // Norms may have been iterated once more.
    const learned = ({ parameters }: Flow) => parameters.list.filter((p) => p.learned).map((p) => p.values);
    expect(learned(flow)).toEqual(learned(alike));
  });
});

it("carries nothing of a step that threw into the next one", async () => {
  const [flow, alike] = [await flowOf(), await flowOf()];
  const options = { ...TRAINING, l2: 0, steps: 9 };
  let failing = true;
  // The first pass of the step has left its gradient when the second one fails.
  const pause = flow.chain.pause;
  let pauses = 0;
  flow.chain.pause = async () => {
    await pause?.();
    if (failing && ++pauses > 5) throw new Error("a pass failed");
  };
  const trainers = [flow, alike].map((each) => new Trainer(each, moons, options, alone));
  await expect(trainers[0].advance()).rejects.toThrow("a pass failed");
  failing = false;
  for (let step = 0; step < 3; step++) for (const trainer of trainers) await trainer.advance();
  const [a, b] = [await flow.logProb(rows), await alike.logProb(rows)];
  a.forEach((value, i) => {
    expect(value).toBeCloseTo(b[i], 4);
  });
});

it("waits for a source that takes its time", async () => {
  const [flow, alike] = [await flowOf(), await flowOf()];
  const slow = {
    ...moons,
    async fill(...[out, ...which]: Parameters<typeof moons.fill>) {
      const early = new Float64Array(out.length);
      moons.fill(early, ...which);
      await new Promise((resolve) => setTimeout(resolve, 1));
      out.set(early);
    },
  };
  const training = { ...TRAINING, steps: 3 };
  expect(await fitted(flow, slow, training)).toBe(await fitted(alike, moons, training));
});

it("takes rows that are typed arrays, and a copy of those it is given to learn from", async () => {
  const plain = rows.toArray();
  const flow = await flowOf();
  expect(await flow.logProb(plain.map((row) => Float32Array.from(row)))).toEqual(
    await flow.logProb(plain.map((row) => row.map(Math.fround))),
  );
  const table = Table.copy(rows);
  const alike = await flowOf();
  const training = { ...TRAINING, steps: 3 };
  const learned = fitted(flow, table, training);
  table.values.fill(9);
  const source = tableSource("rows", rows, rows, ["x1", "x2"]);
  expect(await learned).toBe(await fitted(alike, source, training));
});

it.each([[null], ["1"], [undefined]])("says where a cell holds %o", async (cell) => {
  const flow = await flowOf();
  const table = [
    [0, 1],
    [2, cell as unknown as number],
  ];
  await expect(flow.logProb(table)).rejects.toThrow(/row 1, column 1 .* is no number/);
  await expect(fitted(flow, table)).rejects.toThrow(/row 1, column 1 .* is no number/);
});

it.each([
  [
    "blokcs",
    () => Flow.create(monotoneFlow({ ...SMALL, blokcs: 3 } as FlowOptions)),
    /monotoneFlow has no option .blokcs/,
  ],
  ["sede", () => Flow.create(monotoneFlow(SMALL), { sede: 3 } as object), /Flow\.create has no option .sede/],
  [
    "a seed of 1.5",
    async () => (await flowOf()).logProb(rows, { seed: 1.5 }),
    /logProb: seed must be a whole number/,
  ],
  ["a first row of -1", async () => (await flowOf()).forward(rows, { first: -1 }), /forward: first must be/],
  [
    "failure",
    async () => (await flowOf()).inverse(rows, { failure: [] } as object),
    /inverse has no option .failure.,/,
  ],
  ["2.5 samples", async () => (await flowOf()).sample(2.5), /positive integer, not 2\.5/],
  ["seeds", async () => (await flowOf()).sample(2, { seeds: 1 } as object), /sample has no option .seeds/],
  [
    "steps of 0",
    async () => fitted(await flowOf(), moons, { steps: 0 }),
    /fit: steps must be a positive whole/,
  ],
  ["steps of NaN", async () => fitted(await flowOf(), moons, { steps: Number.NaN }), /fit: steps must be/],
  ["steps of 1.5", async () => fitted(await flowOf(), moons, { steps: 1.5 }), /fit: steps must be/],
  [
    "a negative rate",
    async () => fitted(await flowOf(), moons, { learningRate: -1 }),
    /learningRate must be a positive/,
  ],
  ["lr", async () => fitted(await flowOf(), moons, { lr: 1 } as object), /fit has no option .lr/],
  [
    "0 ranks",
    async () => RankMaps.create(await flowOf(), { ranks: 0 }),
    /ranks must be a positive whole number/,
  ],
  [
    "2.5 ranks",
    async () => RankMaps.create(await flowOf(), { ranks: 2.5 }),
    /ranks must be a positive whole/,
  ],
  ...[0, 1.5, Number.NaN].map(
    (threads) =>
      [`${threads} threads`, () => train(job(), threads), /threads must be a positive whole/] as const,
  ),
] as const)("refuses %s by name", async (_, call, message) => {
  await expect((async () => await (call as () => unknown)())()).rejects.toThrow(message);
});

const job = (): TrainingJob => ({
  data: { kind: "toy", name: "moons" },
  declaration: monotoneFlow(SMALL),
  options: { ...TRAINING, l2: 0, steps: 2 },
  state: null,
});
