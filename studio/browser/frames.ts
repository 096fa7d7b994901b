/**
 * The frames in which pictures and numbers change. All of them change in the same ones, and in no more than the eye
 * asks for: where all cores train, what the browser spends on a frame is lost to training.
 */

/**
 * From one frame to the next, which makes 32 a second; after a late one the next comes sooner. There are none in between
 * in which nothing changes: these have their price, too.
 */
const PERIOD_MS = 31;

type Task = (now: number) => void;
const waiting = new Set<Task>();
/** Whether a frame is coming. */
let coming = false;
/** When the next one may come. */
let due = 0;

/** Calls the task in the next of these frames, with its time as `performance.now()` gives it. */
export function nextFrame(task: Task): void {
  waiting.add(task);
  if (coming) return;
  coming = true;
  const rest = due - performance.now();
  if (rest > 0) setTimeout(() => requestAnimationFrame(frame), rest);
  else requestAnimationFrame(frame);
}

export function cancelFrame(task: Task): void {
  waiting.delete(task);
}

function frame(now: number): void {
  coming = false;
  due = Math.max(due + PERIOD_MS, performance.now());
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
