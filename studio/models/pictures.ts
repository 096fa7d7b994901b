/** The page's end of the worker that draws: the pictures of one model, and its answers to single questions. */
import { computed, type ReadonlySignal, type Signal, signal } from "@preact/signals";
import { cancelFrame, nextFrame } from "../browser/frames.js";
import type { FlowDeclaration } from "../library.js";
import { watch } from "./alive.js";
import { DensityView } from "./density-view.js";
import {
  type Extent,
  PARTS,
  type PictureNews,
  type PictureOrder,
  type PictureTask,
  type Results,
  type Snapshot,
} from "./messages.js";
import { missingInWords } from "./missing.js";
import { PointsView } from "./points-view.js";

export interface PictureOptions {
  declaration: FlowDeclaration;
  extent: Extent;
  /** Of a model that stands; null for one that is trained. */
  snapshot: Snapshot | null;
  /** The line to the worker that trains. */
  training: MessagePort | null;
}

export class Pictures {
  readonly density = new DensityView();
  readonly points = new PointsView();
  /** Count the changes of the density and of the points: who draws one of them reads its count. */
  readonly densityFrame: ReadonlySignal<number>;
  readonly pointsFrame: ReadonlySignal<number>;
  /** Milliseconds after the start at which the first picture was there; null before. */
  readonly firstAfter: Signal<number | null> = signal(null);
  /** Places of the density and samples that are missing from the pictures, in words; null if none are. */
  readonly missing: ReadonlySignal<string | null>;
  readonly #failedPlaces = signal<readonly number[]>(PARTS.map(() => 0));
  readonly #failedPoints = signal(0);
  /** Why there will be no more pictures; null while there are. */
  readonly failure: Signal<string | null> = signal(null);
  readonly #densityFrame = signal(0);
  readonly #pointsFrame = signal(0);
  readonly #worker: Worker;
  readonly #unwatch: () => void;
  readonly #began = performance.now();
  readonly #open = new Map<number, { done(result: never): void; failed(error: Error): void }>();
  #tasks = 0;
  /** When the pictures moved last; 0 while they stand. */
  #last = 0;

  constructor(options: PictureOptions) {
    this.densityFrame = this.#densityFrame;
    this.pointsFrame = this.#pointsFrame;
    this.missing = computed(() => missingInWords(this.#failedPlaces.value, this.#failedPoints.value));
    this.#worker = new Worker(new URL("./picture-worker.ts", import.meta.url), { type: "module" });
    this.#unwatch = watch(this.#worker, (why) => this.#fail(`the worker that draws has ended: ${why}`));
    this.#worker.addEventListener("message", ({ data }: MessageEvent<PictureNews>) => this.#hear(data));
    this.#order({ kind: "build", ...options }, options.training ? [options.training] : []);
  }

  /** The share of one core that pictures may take; 0 stops them. */
  set share(share: number) {
    this.#order({ kind: "pace", share });
  }

  /** Rejects, with words for the page, if the worker cannot do it or ends. */
  ask<Kind extends keyof Results>(task: PictureTask & { kind: Kind }): Promise<Results[Kind]> {
    const { value } = this.failure;
    if (value !== null) return Promise.reject(new Error(value));
    const id = this.#tasks++;
    this.#order({ kind: "task", id, task });
    return new Promise((done, failed) => this.#open.set(id, { done, failed }));
  }

  end(): void {
    this.#unwatch();
    this.#worker.terminate();
    cancelFrame(this.#advance);
    this.#abandon("the model was put away");
  }

  #order(order: PictureOrder, transfer: Transferable[] = []): void {
    this.#worker.postMessage(order, transfer);
  }

  #hear(news: PictureNews): void {
    if (news.kind === "density") {
      this.density.put(news.step, news.part, news.values);
      const { part, failed } = news;
      if (this.#failedPlaces.value[part] !== failed) {
        this.#failedPlaces.value = this.#failedPlaces.value.with(part, failed);
      }
      this.firstAfter.value ??= performance.now() - this.#began;
      this.#animate();
    } else if (news.kind === "points") {
      this.points.put(news.values);
      this.#failedPoints.value = news.failed;
      this.#animate();
    } else if (news.kind === "failed") this.#fail(news.message);
    else if (news.kind === "result" || news.kind === "refused") {
      const open = this.#open.get(news.id);
      this.#open.delete(news.id);
      if (news.kind === "result") open?.done(news.result as never);
      else open?.failed(new Error(news.message));
    }
  }

  #fail(why: string): void {
    this.failure.value = why;
    this.#abandon(why);
  }

  #abandon(why: string): void {
    for (const { failed } of this.#open.values()) failed(new Error(why));
    this.#open.clear();
  }

  #animate(): void {
    if (this.#last === 0) this.#last = performance.now();
    nextFrame(this.#advance);
  }

  readonly #advance = (now: number) => {
    // After a pause, in a hidden page say, nothing leaps.
    const passed = Math.min(100, Math.max(0, now - this.#last));
    this.#last = now;
    const density = this.density.advance(passed);
    const points = this.points.advance(passed);
    if (density) this.#densityFrame.value++;
    if (points) this.#pointsFrame.value++;
    if (density || points) nextFrame(this.#advance);
    else this.#last = 0;
  };
}
