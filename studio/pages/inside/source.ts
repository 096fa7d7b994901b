/** Which model is looked into: one that is trained, one that was opened, or the example that comes along. */
import { computed, signal } from "@preact/signals";
import { addressSettings, choice } from "../../browser/settings.js";
import type { RowJob } from "../../library.js";
import { rowSource } from "../../library.js";
import type { Extent } from "../../models/messages.js";
import { fetchModel } from "../../models/model-files.js";
import { type Opened, opened, openedFrom } from "../../models/opened.js";
import type { Pictures } from "../../models/pictures.js";
import { session } from "../train/session.js";

export const settings = addressSettings("inside", {
  model: choice("auto", ["auto", "example", "opened", "training-0", "training-1"]),
});

/** A model that can be looked into. */
export interface Source {
  readonly key: string;
  readonly title: string;
  readonly pictures: Pictures;
  readonly extent: Extent;
  readonly columns: readonly string[];
  readonly standardisation: { mean: readonly number[]; deviation: readonly number[] } | null;
  readonly data: { job: RowJob; seed: number; entropy: number | null } | null;
  /** Data to be carried through the blocks, x and y in turn; null where it is not known: samples take its place. */
  readonly points: Float64Array | null;
  readonly training: boolean;
}

export const example = signal<Opened | null>(null);
export const exampleFailure = signal<string | null>(null);
const SHOWN = 500;

/** Fetches the example, once. */
export async function fetchExample(): Promise<void> {
  if (example.value) return;
  exampleFailure.value = null;
  try {
    const contents = await fetchModel("example");
    example.value = await openedFrom(contents, "2spirals, 5,000 steps");
  } catch (error) {
    exampleFailure.value = `The example could not be loaded: ${(error as Error).message}`;
  }
}

/** All models that there are, in the order in which the page would show them. */
export const sources = computed<Source[]>(() => {
  const trained = (session.value?.models ?? []).map(({ variant, training }, i): Source => {
    const data = session.value?.data;
    return {
      key: `training-${i}`,
      title: `In training: ${variant.title.toLowerCase()} on ${data?.title}`,
      pictures: training.pictures,
      extent: data?.extent ?? [-4, 4, -4, 4],
      columns: data?.columns ?? [],
      standardisation: data?.standardisation ?? null,
      data: data ? { job: data.job, seed: training.job.options.seed, entropy: data.entropy } : null,
      points: data?.points.slice(0, 2 * SHOWN) ?? null,
      training: true,
    };
  });
  const files = (
    [
      ["opened", "Opened: ", opened.value],
      ["example", "Example: ", example.value],
    ] as const
  ).flatMap(([key, word, model]): Source[] =>
    model
      ? [
          {
            key,
            title: `${word}${model.title}`,
            pictures: model.pictures,
            extent: model.extent,
            columns: model.columns,
            standardisation: model.standardisation,
            data: model.data,
            points: model.data ? rowSource(model.data.job).test(model.data.seed, SHOWN).values : null,
            training: false,
          },
        ]
      : [],
  );
  // A training of two shows the monotone one, which stands last, unless told otherwise.
  return [...trained.reverse(), ...files];
});

export const source = computed<Source | null>(
  () => sources.value.find(({ key }) => key === settings.model.value) ?? sources.value[0] ?? null,
);
