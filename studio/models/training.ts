/** One model in training: the worker that trains, the one that draws, and what the page shows of both. */
import { batch, type Signal, signal } from "@preact/signals";
import type { TrainingJob, TrainingState } from "../library.js";
import { watch } from "./alive.js";
import { Losses } from "./losses.js";
import type { Extent, TrainingNews, TrainingOrder } from "./messages.js";
import { Pictures } from "./pictures.js";

export interface RateChange {
  from: number;
  factor: number;
}

/** How fast the last second was. */
const SPEED_MS = 1_000;

export class Training {
  readonly job: TrainingJob;
  readonly threads: number;
  readonly losses = new Losses();
  readonly pictures: Pictures;
  /** Steps done. */
  readonly step: Signal<number> = signal(0);
  /** The running mean of the loss, nats. */
  readonly loss: Signal<number> = signal(Number.NaN);
  readonly stepsPerSecond: Signal<number> = signal(Number.NaN);
  readonly evaluations: Signal<number> = signal(Number.NaN);
  readonly unconverged: Signal<number> = signal(0);
  /** The threads that train, once they do, and why they are fewer than asked for. */
  readonly ranks: Signal<{ threads: number; remark: string | null } | null> = signal(null);
  readonly parameters: Signal<number> = signal(0);
  /** What ended training, in words. */
  readonly failure: Signal<{ message: string; numerical: boolean } | null> = signal(null);
  /** Changes of the learning rate so far, as a schedule that repeats them. */
  readonly schedule: RateChange[] = [];
  /** Where training can go on from after a failure. */
  lastState: TrainingState | null = null;
  readonly #worker: Worker;
  readonly #unwatch: () => void;
  #until = 0;
  #spent: { at: number; steps: number; milliseconds: number }[] = [];

  constructor(job: TrainingJob, threads: number, extent: Extent) {
    this.job = job;
    this.threads = threads;
    this.#worker = new Worker(new URL("./training-worker.ts", import.meta.url), { type: "module" });
    this.#unwatch = watch(this.#worker, (why) => {
      this.#fail(`The worker that trains has ended: ${why}.`, false);
    });
    this.#worker.addEventListener("message", ({ data }: MessageEvent<TrainingNews>) => this.#hear(data));
    const { port1, port2 } = new MessageChannel();
    this.pictures = new Pictures({ declaration: job.declaration, extent, snapshot: null, training: port1 });
    this.step.value = job.state?.step ?? 0;
    this.#order({ kind: "start", job, threads, until: 0, pictures: port2 }, [port2]);
  }

  /** Trains up to this step, and waits there. */
  set until(step: number) {
    if (step === this.#until) return;
    this.#until = step;
    this.#order({ kind: "until", step });
  }

  /** Changes the learning rate from the next step on. */
  set learningRate(value: number) {
    this.#order({ kind: "rate", value });
  }

  end(): void {
    this.#unwatch();
    this.#worker.terminate();
    this.pictures.end();
  }

  #order(order: TrainingOrder, transfer: Transferable[] = []): void {
    this.#worker.postMessage(order, transfer);
  }

  #fail(message: string, numerical: boolean): void {
    this.#unwatch();
    this.#worker.terminate();
    this.failure.value = { message, numerical };
  }

  #hear(news: TrainingNews): void {
    if (news.kind === "started") {
      batch(() => {
        this.ranks.value = { threads: news.threads, remark: news.remark };
        this.parameters.value = news.parameters;
      });
    } else if (news.kind === "progress") {
      this.losses.add(news.losses);
      batch(() => {
        this.step.value = news.step;
        this.loss.value = this.losses.last;
        this.evaluations.value = news.evaluations;
        this.unconverged.value += news.unconverged;
        this.stepsPerSecond.value = this.#speed(news.losses.length, news.milliseconds);
      });
    } else if (news.kind === "rate") {
      if (this.schedule.at(-1)?.from === news.from) this.schedule.pop();
      this.schedule.push({ from: news.from, factor: news.value / this.job.options.learningRate });
    } else if (news.kind === "state") this.lastState = news.state;
    else if (news.kind === "failed") this.#fail(news.message, news.numerical);
  }

  /** Steps a second of the time that was spent in steps during the last second. */
  #speed(steps: number, milliseconds: number): number {
    const at = performance.now();
    this.#spent.push({ at, steps, milliseconds });
    while (at - this.#spent[0].at > SPEED_MS) this.#spent.shift();
    const total = this.#spent.reduce((sum, each) => sum + each.steps, 0);
    return (1000 * total) / this.#spent.reduce((sum, each) => sum + each.milliseconds, 0);
  }
}
