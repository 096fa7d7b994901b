/** What is being trained. It goes on when another page is looked at. */
import { batch, computed, effect, type Signal, signal } from "@preact/signals";
import type { TrainingJob } from "../../library.js";
import { type Data, prepare } from "../../models/data.js";
import { Training } from "../../models/training.js";
import { cores, declarationOf, settings, type Variant, variants } from "./settings.js";

export interface Model {
  readonly variant: Variant;
  readonly training: Training;
}

export interface Session {
  readonly data: Data;
  readonly models: readonly Model[];
  /** When the button was pressed. */
  readonly began: number;
}

/** Null before the first start and after a reset. */
export const session: Signal<Session | null> = signal(null);
export const running = signal(false);
/** Why training could not start. */
export const refusal: Signal<string | null> = signal(null);

/** Of two models that are compared, none is ahead by more steps: their pictures show the same budget. */
const LEAD = 20;

/** The steps that all models have done. */
export const stepsDone = computed(() =>
  session.value ? Math.min(...session.value.models.map(({ training }) => training.step.value)) : 0,
);
export const finished = computed(() => session.value !== null && stepsDone.value >= settings.steps.value);
export const failed = computed(
  () => session.value?.models.some(({ training }) => training.failure.value !== null) ?? false,
);

const visible = signal(document.visibilityState === "visible");
document.addEventListener("visibilitychange", () => {
  visible.value = document.visibilityState === "visible";
});

/** Threads of each model: those that were asked for are shared out. */
export function threadsEach(): number {
  const total = crossOriginIsolated ? settings.threads.value : 1;
  return Math.max(1, Math.min(settings.batch.value, Math.floor(total / (settings.compare.value ? 2 : 1))));
}

function start(): void {
  refusal.value = null;
  const seed = settings.seed.value;
  let data: Data;
  try {
    data = prepare(settings.data.value, seed);
    const threads = threadsEach();
    const models = variants().map((variant) => {
      const job: TrainingJob = {
        data: data.job,
        declaration: declarationOf(variant, data),
        options: {
          steps: settings.steps.value,
          batch: settings.batch.value,
          seed,
          learningRate: settings.rate.value,
          l2: settings.l2.value,
        },
        state: null,
      };
      return { variant, training: new Training(job, threads, data.extent) };
    });
    session.value = { data, models, began: performance.now() };
  } catch (error) {
    refusal.value = (error as Error).message;
  }
}

/** Starts, or goes on. */
export function train(): void {
  if (session.value === null) start();
  if (session.value === null) return;
  if (finished.value) settings.steps.value = stepsDone.value + 1_000;
  running.value = true;
}

export function pause(): void {
  running.value = false;
}

/** One step of every model. */
export function stepOnce(): void {
  running.value = false;
  if (session.value === null) {
    start();
    return;
  }
  const next = stepsDone.value + 1;
  for (const { training } of session.value.models) training.until = next;
}

export function reset(): void {
  const ended = session.peek();
  batch(() => {
    running.value = false;
    session.value = null;
    refusal.value = null;
  });
  for (const { training } of ended?.models ?? []) training.end();
}

/** After a failure: new workers, from where the last ones told that they were. */
export function revive(): void {
  const ended = session.value;
  if (!ended) return;
  const models = ended.models.map(({ variant, training }) => {
    if (training.failure.value === null && training.pictures.failure.value === null)
      return { variant, training };
    const state = training.lastState;
    const next = new Training({ ...training.job, state }, training.threads, ended.data.extent);
    if (state) next.losses.add(Float64Array.from(training.losses.raw.subarray(0, state.step)));
    next.schedule.push(...training.schedule.filter(({ from }) => from < (state?.step ?? 0)));
    next.lastState = state;
    training.end();
    return { variant, training: next };
  });
  session.value = { ...ended, models };
  if (settings.rate.value !== models[0].training.job.options.learningRate) changeRate();
}

/** Takes the learning rate of the settings over into what is being trained. */
export function changeRate(): void {
  for (const { training } of session.value?.models ?? []) training.learningRate = settings.rate.value;
}

// How far each model may go.
effect(() => {
  const { value } = session;
  if (!value) return;
  const steps = value.models.map(({ training }) => training.step.value);
  const go = running.value && !failed.value;
  value.models.forEach(({ training }, i) => {
    if (!go) {
      training.until = 0;
      return;
    }
    const others = steps.filter((_, j) => j !== i);
    training.until = Math.min(settings.steps.value, ...others.map((step) => step + LEAD));
  });
});

effect(() => {
  if (running.value && (finished.value || failed.value)) running.value = false;
});

// The share of a core that each model's pictures may take: little where all cores train.
effect(() => {
  const { value } = session;
  if (!value) return;
  const training = value.models.reduce((sum, model) => sum + model.training.threads, 0);
  const free = cores - training;
  const share = free >= 2 ? 0.5 : free === 1 ? 0.2 : 0.05;
  for (const { training: model } of value.models) {
    model.pictures.share = visible.value ? (running.value ? share / value.models.length : 1) : 0;
  }
});
