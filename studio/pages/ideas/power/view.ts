/** The part of the plane that a picture of the three balls shows. */
import { balls, norm, type Point } from "../../../../src/experiments/theory/balls.js";

export interface View {
  readonly x: readonly [number, number];
  readonly y: readonly [number, number];
}

/** Sizes go in steps of this factor, so that a ball is seen to grow before the picture takes in more. */
const STEP = 1.6;

/** A square that holds 0, p, the target and the ball of monotone blocks. */
export function viewOf(L: number, p: Point, target: Point): View {
  const { centre, radius } = balls.monotone(L);
  const size = norm(p);
  const direction: Point = [p[0] / size, p[1] / size];
  const holds = (half: number) => {
    const [cx, cy] = [0.75 * half * direction[0], 0.75 * half * direction[1]];
    const within = (x: number, y: number, margin: number) =>
      Math.max(Math.abs(x - cx), Math.abs(y - cy)) + margin <= half;
    return (
      within(centre * p[0], centre * p[1], 1.05 * radius * size) &&
      within(0, 0, 0.05 * half) &&
      within(target[0], target[1], 0.04 * half)
    );
  };
  let half = 1;
  while (!holds(half)) half *= STEP;
  const [cx, cy] = [0.75 * half * direction[0], 0.75 * half * direction[1]];
  return { x: [cx - half, cx + half], y: [cy - half, cy + half] };
}
