/**
 * Draws: computes the density and samples of a model from copies of its parameters, at a bounded share of the time,
 * so that training keeps its speed; and does single tasks for the page.
 */
import "./no-eval.js";
import { encodeFlow, evaluate, Flow, type FlowDeclaration, flowPath, rowSource, Table } from "../library.js";
import { holdLock } from "./alive.js";
import {
  type Extent,
  PARTS,
  type PictureNews,
  type PictureOrder,
  type PictureTask,
  RESOLUTION,
  type Results,
  SHOWN_POINTS,
  type Snapshot,
  type SnapshotWish,
  STRIDE,
} from "./messages.js";

/** As many as the command line takes. */
const TEST_SAMPLES = 10_000;

const tell = (news: PictureNews) => postMessage(news);

/** The longest rest between two drawings: on a busy machine they take long, and pictures must not fall far behind. */
const LONGEST_REST = 200;

let share = 0.1;
let newest: Snapshot | null = null;
const tasks: { id: number; task: PictureTask }[] = [];
let wake: (() => void) | null = null;

holdLock();
addEventListener("message", ({ data }: MessageEvent<PictureOrder>) => {
  if (data.kind === "build") {
    run(data).catch((error) => tell({ kind: "failed", message: String(error?.message ?? error) }));
  } else if (data.kind === "pace") share = data.share;
  else tasks.push({ id: data.id, task: data.task });
  wake?.();
});

async function run(order: PictureOrder & { kind: "build" }): Promise<void> {
  const { training } = order;
  newest = order.snapshot;
  const wish = () => training?.postMessage({ after: newest?.step ?? -1 } satisfies SnapshotWish);
  if (training) {
    training.onmessage = ({ data }: MessageEvent<Snapshot>) => {
      newest = data;
      wake?.();
    };
    wish();
  }
  const model = await Model.create(order.declaration, order.extent);
  /** When the last drawing ended, and how long it took. */
  let last = { end: 0, took: 0 };
  for (;;) {
    // By the share of now: it grows when training pauses, and the picture is to be finished then.
    const rest = Math.min(LONGEST_REST, last.took * (1 / share - 1)) - (performance.now() - last.end);
    if (tasks.length === 0 && (rest > 0 || share === 0 || !model.hasWork(newest))) {
      const timer = rest > 0 && share > 0 ? setTimeout(() => wake?.(), rest) : 0;
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
      clearTimeout(timer);
      continue;
    }
    const task = tasks.shift();
    if (newest) {
      if (model.load(newest)) wish();
    } else if (!task) continue;
    if (task) {
      await model.answer(task.id, task.task);
      continue;
    }
    const began = performance.now();
    await model.draw();
    const end = performance.now();
    last = { end, took: end - began };
  }
}

class Model {
  readonly #flow: Flow;
  readonly #extent: Extent;
  readonly #latents: Table;
  #step = -1;
  /** Parts of the density that are older than the parameters, in the order in which they are drawn. */
  #stale: number[] = [];
  #nextPart = 0;
  #stalePoints = false;

  static async create(declaration: FlowDeclaration, extent: Extent): Promise<Model> {
    const flow = await Flow.create(declaration);
    return new Model(flow, extent);
  }

  private constructor(flow: Flow, extent: Extent) {
    this.#flow = flow;
    this.#extent = extent;
    this.#latents = latents(SHOWN_POINTS);
  }

  hasWork(newest: Snapshot | null): boolean {
    return newest !== null && (newest.step !== this.#step || this.#stale.length > 0 || this.#stalePoints);
  }

  /** Takes newer parameters over; false if these are known. */
  load({ step, parameters }: Snapshot): boolean {
    if (step === this.#step) return false;
    this.#flow.parameters.load(parameters, "the worker that trains");
    this.#flow.prepare();
    this.#step = step;
    // Goes on where it was: every part has its turn, however often parameters arrive.
    this.#stale = PARTS.map((_, i) => (this.#nextPart + i) % PARTS.length);
    this.#stalePoints = true;
    return true;
  }

  /** The next part of the density, with the samples after every fourth. */
  async draw(): Promise<void> {
    const part = this.#stale.shift();
    if (part !== undefined) {
      this.#nextPart = (part + 1) % PARTS.length;
      tell({ kind: "density", step: this.#step, part, values: await this.#density(part) });
    }
    if (this.#stalePoints && (part === undefined || part % 4 === 0)) {
      this.#stalePoints = false;
      const { x } = await this.#flow.inverse(this.#latents);
      tell({ kind: "points", step: this.#step, values: x.values });
    }
  }

  async #density(part: number): Promise<Float64Array> {
    const [xmin, xmax, ymin, ymax] = this.#extent;
    const [left, bottom] = PARTS[part];
    const side = RESOLUTION / STRIDE;
    const grid = new Table(side * side, 2);
    for (let row = 0, i = 0; row < side; row++) {
      for (let column = 0; column < side; column++) {
        grid.values[i++] = xmin + ((left + column * STRIDE + 0.5) / RESOLUTION) * (xmax - xmin);
        grid.values[i++] = ymin + ((bottom + row * STRIDE + 0.5) / RESOLUTION) * (ymax - ymin);
      }
    }
    return (await this.#flow.logProb(grid)).map(Math.exp);
  }

  async answer(id: number, task: PictureTask): Promise<void> {
    try {
      tell({ kind: "result", id, result: await this.#result(task) });
    } catch (error) {
      tell({ kind: "refused", id, message: error instanceof Error ? error.message : String(error) });
    }
  }

  async #result(task: PictureTask): Promise<Results[keyof Results]> {
    const flow = this.#flow;
    const step = this.#step;
    if (task.kind === "samples") {
      return { step, values: (await flow.sample(task.count, { seed: task.seed })).values };
    }
    if (task.kind === "path") return await this.#path(task.points);
    if (task.kind === "bounds") {
      const blocks = flow.blocks.map(({ index, block }) => ({
        index,
        kind: block.kind,
        lipschitzBound: block.lipschitzBound(),
      }));
      return { step, blocks };
    }
    // The finished model is another one: its spectral norms have converged.
    const finished = await Flow.create(flow.declaration);
    finished.parameters.load(new Map(flow.parameters.list.map((p) => [p.name, p.values])), "the model");
    await finished.settle();
    finished.steps = step;
    const source = rowSource(task.data);
    const { loss, standardError, rows } = await evaluate(finished, source.test(task.seed, TEST_SAMPLES));
    return { step, ...encodeFlow(finished), testLoss: loss, standardError, rows };
  }

  async #path(points: Float64Array) {
    const flow = this.#flow;
    const step = this.#step;
    const x = new Table(points.length / 2, 2, points);
    const logProb = await flow.logProb(x);
    const { z } = await flow.forward(x);
    const { x: back } = await flow.inverse(z);
    const roundTrip = Float64Array.from({ length: x.rows }, (_, i) =>
      Math.hypot(back.at(i, 0) - x.at(i, 0), back.at(i, 1) - x.at(i, 1)),
    );
    const path = await flowPath(flow, x);
    const places = path.points.map(({ values }) => values);
    return { step, places, logDets: path.logDets, evaluations: path.evaluations, logProb, roundTrip };
  }
}

/** Latents of the standard normal, evenly spread: a lattice's points put through the normal's radial quantiles. */
function latents(count: number): Table {
  const z = new Table(count, 2);
  for (let i = 0; i < count; i++) {
    const radius = Math.sqrt(-2 * Math.log(1 - (i + 0.5) / count));
    const angle = i * Math.PI * (3 - Math.sqrt(5));
    z.values[2 * i] = radius * Math.cos(angle);
    z.values[2 * i + 1] = radius * Math.sin(angle);
  }
  return z;
}
