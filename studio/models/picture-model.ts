/**
 * What the worker that draws knows of a model: its density, samples and single answers. Rows that fail are counted, and none
 * of them keeps the others from being shown.
 */
import {
  encodeFlow,
  FailedRows,
  Flow,
  type FlowDeclaration,
  flowPath,
  rowSource,
  summarise,
  sumOf,
  Table,
} from "../library.js";
import {
  type Extent,
  PARTS,
  type PictureNews,
  type PictureTask,
  RESOLUTION,
  type Results,
  SHOWN_POINTS,
  type Snapshot,
  STRIDE,
} from "./messages.js";

/** As many as the command line takes. */
const TEST_SAMPLES = 10_000;

type Tell = (news: PictureNews) => void;

/** What has failed in words; null if nothing has. */
const inWords = (failures: FailedRows, what: string) =>
  failures.count === 0 ? null : failures.describe(what);

export class PictureModel {
  readonly #flow: Flow;
  readonly #extent: Extent;
  readonly #tell: Tell;
  readonly #latents: Table;
  #step = -1;
  /** Parts of the density that are older than the parameters, in the order in which they are drawn. */
  #stale: number[] = [];
  #nextPart = 0;
  #stalePoints = false;

  static async create(declaration: FlowDeclaration, extent: Extent, tell: Tell): Promise<PictureModel> {
    return new PictureModel(await Flow.create(declaration), extent, tell);
  }

  private constructor(flow: Flow, extent: Extent, tell: Tell) {
    this.#flow = flow;
    this.#extent = extent;
    this.#tell = tell;
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
      const failures = new FailedRows();
      const values = await this.#density(part, failures);
      this.#tell({ kind: "density", step: this.#step, part, values, failed: failures.count });
    }
    if (this.#stalePoints && (part === undefined || part % 4 === 0)) {
      this.#stalePoints = false;
      const failures = new FailedRows();
      const { x } = await this.#flow.inverse(this.#latents, { failures });
      this.#tell({ kind: "points", step: this.#step, values: x.values, failed: failures.count });
    }
  }

  async #density(part: number, failures: FailedRows): Promise<Float64Array> {
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
    return (await this.#flow.logProb(grid, { failures })).map(Math.exp);
  }

  async answer(id: number, task: PictureTask): Promise<void> {
    try {
      this.#tell({ kind: "result", id, result: await this.#result(task) });
    } catch (error) {
      this.#tell({ kind: "refused", id, message: error instanceof Error ? error.message : String(error) });
    }
  }

  async #result(task: PictureTask): Promise<Results[keyof Results]> {
    const flow = this.#flow;
    const step = this.#step;
    if (task.kind === "samples") {
      const failures = new FailedRows();
      const samples = await flow.sample(task.count, { seed: task.seed, failures });
      return { step, values: failures.rest(samples).values, failed: inWords(failures, "sample") };
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
    await finished.convergeNorms();
    finished.steps = step;
    const source = rowSource(task.data);
    const failures = new FailedRows();
    const logProb = await finished.logProb(source.test(task.seed, TEST_SAMPLES), { failures });
    const { loss, standardError, rows } = summarise(logProb);
    const failed = inWords(failures, "test sample");
    return { step, ...encodeFlow(finished), testLoss: loss, standardError, rows, failed };
  }

  async #path(points: Float64Array) {
    const flow = this.#flow;
    const step = this.#step;
    const x = new Table(points.length / 2, 2, points);
    const failures = new FailedRows();
    const path = await flowPath(flow, x, { failures });
    const z = path.points[path.points.length - 1];
    // No map takes latents that are not numbers.
    const known = z.values.map((value) => (Number.isFinite(value) ? value : 0));
    const { x: back } = await flow.inverse(new Table(x.rows, 2, known), { logDet: false, failures });
    failures.rows = x.rows;
    const lost = new Set(failures.list());
    const roundTrip = Float64Array.from({ length: x.rows }, (_, i) =>
      lost.has(i) || !Number.isFinite(z.at(i, 0))
        ? Number.NaN
        : Math.hypot(back.at(i, 0) - x.at(i, 0), back.at(i, 1) - x.at(i, 1)),
    );
    return {
      step,
      places: path.points.map(({ values }) => values),
      kinds: flow.chain.bijections.map(({ kind }) => kind),
      logDets: path.logDets,
      evaluations: path.evaluations,
      terms: path.terms,
      logProb: sumOf(path.terms, x.rows),
      roundTrip,
      failed: inWords(failures, "point"),
    };
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
