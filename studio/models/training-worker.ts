/** Trains: rank 0 of a training job, in a worker so that the page goes on drawing. */
import "./no-eval.js";
import { train } from "../../src/training/train.js";
import { FlowError, fitSchema, optionFacts, type StepResult, type Trainer } from "../library.js";
import { holdLock } from "./alive.js";
import type { Snapshot, SnapshotWish, TrainingNews, TrainingOrder } from "./messages.js";

/** News at most so often: the page shows them no more often. */
const NEWS_MS = 100;
/** So often where the order is to go on for a few steps only: whoever gave it, two models in step say, waits for news. */
const SOON_MS = 30;
const FEW_STEPS = 100;
/** Where training can go on from is told so often. */
const STATE_MS = 5_000;

const tell = (news: TrainingNews) => postMessage(news);

let until = 0;
let wake: (() => void) | null = null;
let rate: number | null = null;
let wish: { after: number; port: MessagePort } | null = null;
let trainer: Trainer | null = null;

holdLock();
addEventListener("message", ({ data }: MessageEvent<TrainingOrder>) => {
  if (data.kind === "start") void run(data);
  else if (data.kind === "until") {
    until = data.step;
    wake?.();
  } else rate = data.value;
});

async function run(order: TrainingOrder & { kind: "start" }): Promise<void> {
  until = order.until;
  order.pictures.onmessage = ({ data }: MessageEvent<SnapshotWish>) => {
    wish = { after: data.after, port: order.pictures };
    grant();
  };
  const news = new News();
  let threads = order.threads;
  let remark: string | null = null;
  if (threads > 1 && !crossOriginIsolated) {
    threads = 1;
    remark = "This page is not cross-origin isolated, so threads cannot share memory: one thread trains.";
  }
  try {
    // As many steps as there may be: the page says how far to go.
    const options = { ...order.job.options, steps: optionFacts(fitSchema.shape.steps).most };
    let began = performance.now();
    await train({ ...order.job, options }, threads, {
      async onStep(rank0, result) {
        if (!trainer) {
          trainer = rank0;
          tell({ kind: "started", threads, remark, parameters: rank0.flow.parameters.values.length });
        }
        news.add(result, performance.now() - began);
        grant();
        if (rank0.step < until) news.tellNowAndThen(rank0);
        else await wait(rank0, news);
        // Only here, between two steps, is it known from which step on it counts.
        if (rate !== null && rate !== rank0.learningRate) {
          rank0.learningRate = rate;
          tell({ kind: "rate", from: rank0.step, value: rate });
        }
        began = performance.now();
      },
    });
  } catch (error) {
    tell({
      kind: "failed",
      message: error instanceof Error ? error.message : String(error),
      numerical: error instanceof FlowError && error.code === "numerical",
    });
  }
}

/** Waits for an order to go on; the other ranks wait in the next step's sum meanwhile. */
async function wait(rank0: Trainer, news: News): Promise<void> {
  news.tell(rank0.step);
  tell({ kind: "state", state: rank0.state() });
  while (rank0.step >= until) {
    await new Promise<void>((resolve) => {
      wake = resolve;
    });
  }
  wake = null;
}

/** Sends the parameters to the worker that draws, if it waits for some that are as new as these. */
function grant(): void {
  if (!wish || !trainer || trainer.step <= wish.after) return;
  const parameters = new Map(trainer.flow.parameters.list.map(({ name, values }) => [name, values]));
  // Posting copies.
  wish.port.postMessage({ step: trainer.step, parameters } satisfies Snapshot);
  wish = null;
}

class News {
  #losses: number[] = [];
  #evaluations = 0;
  #unconverged = 0;
  #milliseconds = 0;
  #lastNews = 0;
  #lastState = performance.now();

  add(result: StepResult, milliseconds: number): void {
    this.#losses.push(result.loss);
    this.#evaluations += result.evaluations;
    this.#unconverged += result.unconverged;
    this.#milliseconds += milliseconds;
  }

  tellNowAndThen(rank0: Trainer): void {
    const now = performance.now();
    if (now - this.#lastNews >= (until - rank0.step < FEW_STEPS ? SOON_MS : NEWS_MS)) this.tell(rank0.step);
    if (now - this.#lastState >= STATE_MS) {
      this.#lastState = now;
      tell({ kind: "state", state: rank0.state() });
    }
  }

  tell(step: number): void {
    this.#lastNews = performance.now();
    const count = this.#losses.length;
    if (count === 0) return;
    tell({
      kind: "progress",
      step,
      losses: Float64Array.from(this.#losses),
      evaluations: this.#evaluations / count,
      unconverged: this.#unconverged,
      milliseconds: this.#milliseconds,
    });
    this.#losses = [];
    this.#evaluations = this.#unconverged = this.#milliseconds = 0;
  }
}
