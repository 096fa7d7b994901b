/**
 * Draws: computes the density and samples of a model from copies of its parameters, at a bounded share of the time,
 * so that training keeps its speed; and does single tasks for the page.
 */
import "./no-eval.js";
import { holdLock } from "./alive.js";
import type { PictureNews, PictureOrder, PictureTask, Snapshot, SnapshotWish } from "./messages.js";
import { PictureModel } from "./picture-model.js";

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
  const model = await PictureModel.create(order.declaration, order.extent, tell);
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
