/**
 * The frames in which pictures and numbers change. All of them change in the same ones, and in no more than the eye
 * asks for: where all cores train, what the browser spends on a frame is lost to training.
 */

/**
 * A frame is asked for so long after the last one, which makes 31 to 35 a second, and none in between in which nothing
 * changes: these have their price, too.
 */
const REST_MS = 27;

type Task = (now: number) => void;
const waiting = new Set<Task>();
/** Whether a frame is coming. */
let coming = false;
let last = Number.NEGATIVE_INFINITY;

/** Calls the task in the next of these frames, with its time as `performance.now()` gives it. */
export function nextFrame(task: Task): void {
  waiting.add(task);
  if (coming) return;
  coming = true;
  const rest = last + REST_MS - performance.now();
  if (rest > 0) setTimeout(() => requestAnimationFrame(frame), rest);
  else requestAnimationFrame(frame);
}

export function cancelFrame(task: Task): void {
  waiting.delete(task);
}

function frame(now: number): void {
  coming = false;
  // The frame's own time may lie before the moment in which it was asked for.
  last = performance.now();
  run(now);
}

function run(now: number): void {
  const tasks = [...waiting];
  waiting.clear();
  for (const task of tasks) task(now);
}

// A hidden page has no frames: what waits for one must not wait until it is shown again.
document.addEventListener("visibilitychange", () => {
  if (document.hidden) run(performance.now());
});
