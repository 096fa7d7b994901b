/** The field in which the reader draws data of their own. */
import { signal } from "@preact/signals";
import { themeColour } from "../../browser/theme.js";
import { Slider } from "../../controls/fields.js";
import { drawing, SQUARE } from "../../models/data.js";
import { drawDots } from "../../plots/dots.js";
import { Figure } from "../../plots/figure.js";
import { Plot } from "../../plots/plot.js";

/** Standard deviation of the brush, in units of the axes. */
const width = signal(0.15);
const MOST = 20_000;
/** Points for each unit of length that the brush moves. */
const PER_UNIT = 120;

let last: { x: number; y: number } | null = null;

export function DrawField() {
  const count = drawing.value.values.length / 2;
  return (
    <div>
      <Figure
        title="Draw your own"
        file="drawing"
        caption={`${count.toLocaleString("en")} points${count >= MOST ? ": that is as many as are taken" : ""}`}
      >
        <Plot
          label="A field to draw in"
          x={[SQUARE[0], SQUARE[1]]}
          y={[SQUARE[2], SQUARE[3]]}
          xLabel="x₁"
          yLabel="x₂"
          draw={(context, scales) =>
            drawDots(context, scales, drawing.value.values, themeColour("--series-1"))
          }
          onDrag={({ x, y, first }) => {
            stroke(first || !last ? { x, y } : last, { x, y });
            last = { x, y };
          }}
        />
      </Figure>
      <div class="draw-tools">
        <Slider label="Brush" value={width} limits={{ min: 0.03, max: 0.5, step: 0.01 }} />
        <div class="buttons">
          <button type="button" onClick={drawExample}>
            Draw a heart
          </button>
          <button type="button" onClick={() => set(new Float64Array())} disabled={count === 0}>
            Clear
          </button>
        </div>
      </div>
    </div>
  );
}

const set = (values: Float64Array) => {
  drawing.value = { ...drawing.value, values };
};

/** Four decimals are enough for a brush, and keep the file of the data small. */
const rounded = (value: number) => Math.round(value * 1e4) / 1e4;

/** Points around the way of the brush from one place to another. */
function stroke(from: { x: number; y: number }, to: { x: number; y: number }): void {
  const { values } = drawing.value;
  const length = Math.hypot(to.x - from.x, to.y - from.y);
  const count = Math.min(Math.max(4, Math.round(length * PER_UNIT)), MOST - values.length / 2);
  if (count <= 0) return;
  const more = new Float64Array(values.length + 2 * count);
  more.set(values);
  for (let i = 0; i < count; i++) {
    const along = Math.random();
    const radius = width.value * Math.sqrt(-2 * Math.log(1 - Math.random()));
    const angle = 2 * Math.PI * Math.random();
    const at = values.length + 2 * i;
    more[at] = rounded(from.x + along * (to.x - from.x) + radius * Math.cos(angle));
    more[at + 1] = rounded(from.y + along * (to.y - from.y) + radius * Math.sin(angle));
  }
  set(more);
}

/** For those who do not draw with a pointer. */
function drawExample(): void {
  const heart = (t: number) => ({
    x: (3 / 16) * 16 * Math.sin(t) ** 3,
    y: (3 / 16) * (13 * Math.cos(t) - 5 * Math.cos(2 * t) - 2 * Math.cos(3 * t) - Math.cos(4 * t)),
  });
  const pieces = 60;
  for (let i = 0; i < pieces; i++) {
    stroke(heart((2 * Math.PI * i) / pieces), heart((2 * Math.PI * (i + 1)) / pieces));
  }
}
