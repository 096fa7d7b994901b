/** Draws a toy density itself: for some of them that is a second of work. */
import "./no-eval.js";
import { toyDensity } from "../library.js";
import { RESOLUTION } from "./messages.js";

addEventListener("message", ({ data: name }: MessageEvent<string>) => {
  const density = toyDensity(name);
  const [xmin, xmax, ymin, ymax] = density.extent;
  const values = new Float32Array(RESOLUTION * RESOLUTION);
  for (let row = 0, i = 0; row < RESOLUTION; row++) {
    for (let column = 0; column < RESOLUTION; column++) {
      const x = xmin + ((column + 0.5) / RESOLUTION) * (xmax - xmin);
      const y = ymin + ((row + 0.5) / RESOLUTION) * (ymax - ymin);
      values[i++] = Math.exp(density.logDensity(x, y));
    }
  }
  postMessage({ name, values });
});
