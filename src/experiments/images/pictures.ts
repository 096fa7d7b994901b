/** The pictures of the image reproduction: curves, samples, reconstructions, and paths in latent space. */
import { imageSheet, type Mark, type Picture, palette, panelsFigure, smooth } from "../../plots/index.js";
import { COLUMNS } from "./measure.js";
import { models, monotoneFlows, titleOf } from "./protocol.js";
import { type Result, resultFor, type TaskResult } from "./results.js";

const [BLUE, ORANGE, GREEN, PINK] = palette;
/** Of the models in their order: residual with both activations, monotone with both. */
const COLOURS = [ORANGE, PINK, GREEN, BLUE];
const FRAME = { width: 380, height: 300 };
/** Rows of a model's samples where all are compared. */
const COMPARED_ROWS = 2;

/** Bits per dimension in training and on test images over the steps. */
export function curvesPicture({ results }: TaskResult): Picture {
  const last = Math.max(...results.map(({ metrics }) => metrics[metrics.length - 1].step));
  const curves = results.map(({ metrics, loss }) => {
    const tested = metrics.filter(({ testLoss }) => testLoss !== undefined);
    return {
      training: { x: metrics.map(({ step }) => step), y: metrics.map((line) => line.loss) },
      test: {
        x: [...tested.map(({ step }) => step), last],
        y: [...tested.map(({ testLoss }) => testLoss ?? Number.NaN), loss.value],
      },
    };
  });
  // The first steps are far above all others.
  const late = ({ x, y }: { x: number[]; y: number[] }) => y.filter((_, i) => 5 * x[i] >= last);
  const seen = curves.flatMap(({ training, test }) => [...late(training), ...late(test)]);
  const [low, high] = [Math.min(...seen), Math.max(...seen)];
  const margin = 0.06 * (high - low) || 0.1;
  const panel = (title: string, marks: readonly Mark[]) => ({
    title,
    xLabel: "training step",
    yLabel: "bits per dimension",
    xDomain: [0, last] as const,
    yDomain: [low - margin, high + margin] as const,
    marks,
  });
  const training = curves.flatMap(({ training }, i): Mark[] => [
    { kind: "line", ...training, colour: COLOURS[i], width: 1, opacity: 0.3 },
    { kind: "line", ...smooth(training), colour: COLOURS[i] },
  ]);
  const test = curves.flatMap(({ test }, i): Mark[] => [
    { kind: "line", ...test, colour: COLOURS[i], width: 1.8 },
    { kind: "dots", ...test, colour: COLOURS[i], radius: 3 },
  ]);
  return panelsFigure({
    rows: [[panel("training", training), panel("test", test)]],
    ...FRAME,
    key: models.map((model, i) => ({ name: titleOf(model), colour: COLOURS[i], mark: "line" })),
  });
}

function sheet({ images }: TaskResult, pixels: readonly number[], rowLabels: readonly string[]): Picture {
  return imageSheet({
    images: pixels,
    shape: images.shape,
    levels: images.levels,
    columns: COLUMNS,
    rowLabels,
  });
}

/** Test images, and samples of all models from the same latents. */
export function comparisonPicture(task: TaskResult): Picture {
  const { shape } = task.images;
  const compared = COMPARED_ROWS * COLUMNS * shape.channels * shape.height * shape.width;
  const { originals } = resultFor(task.results, monotoneFlows);
  const below = Array.from({ length: COMPARED_ROWS - 1 }, () => "");
  return sheet(
    task,
    [...originals, ...task.results.flatMap(({ samples }) => samples.slice(0, compared))],
    ["test images", ...task.results.flatMap(({ model }) => [titleOf(model), ...below])],
  );
}

export const samplesPicture = (task: TaskResult, { samples }: Result): Picture => sheet(task, samples, []);

export const pathsPicture = (task: TaskResult, { paths }: Result): Picture => sheet(task, paths, []);

/** Test images, and what the way there and back makes of them, model by model. */
export function reconstructionsPicture(task: TaskResult): Picture {
  const { originals } = resultFor(task.results, monotoneFlows);
  return sheet(
    task,
    [...originals, ...task.results.flatMap(({ reconstructed }) => reconstructed)],
    ["test images", ...task.results.map(({ model }) => titleOf(model))],
  );
}
