/**
 * The frames in which pictures and numbers change. All of them change in the same ones, and in no more than the eye
 * asks for: where all cores train, what the browser spends on a frame is lost to training.
 */

/** 33 frames a second, on screens with more. */
const PERIOD_MS = 30;
/** A timer may be late by so much. */
const LATE_MS = 5;

type Task = (now: number) => void;
const waiting = new Set<Task>();
/** Whether a frame is coming. */
let coming = false;
let due = 0;

/** Calls the task in the next of these frames, with its time as `performance.now()` gives it. */
export function nextFrame(task: Task): void {
  waiting.add(task);
  if (coming) return;
  coming = true;
  // A frame in which nothing changes has its price, too: none is asked for before it is due.
  const early = due - performance.now() - LATE_MS;
  if (early > 0) setTimeout(() => requestAnimationFrame(frame), early);
  else requestAnimationFrame(frame);
}

export function cancelFrame(task: Task): void {
  waiting.delete(task);
}

function frame(now: number): void {
  if (now < due - 1) {
    requestAnimationFrame(frame);
    return;
  }
  coming = false;
  // Of frames that were missed none is made up for.
  due = Math.max(due, now - PERIOD_MS) + PERIOD_MS;
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
