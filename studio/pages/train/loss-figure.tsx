/** The losses of the models over the steps, against the entropy of the data. */
import { useComputed } from "@preact/signals";
import { useSlow } from "../../browser/slow.js";
import { themeColour } from "../../browser/theme.js";
import type { Losses } from "../../models/losses.js";
import { Figure } from "../../plots/figure.js";
import { Plot, type Scales } from "../../plots/plot.js";
import { session, stepsDone } from "./session.js";
import type { Variant } from "./settings.js";
import { variants } from "./settings.js";

/** Steps that the axis reaches at least. */
const FEWEST = 200;

export function LossFigure({ entropy, file }: { entropy: number | null; file: string }) {
  const models = session.value?.models ?? [];
  const drawn = useSlow(() => stepsDone.value);
  const range = useComputed(() => {
    drawn.value;
    return JSON.stringify(rangeOf(entropy));
  });
  const { steps, low, high } = JSON.parse(range.value) as ReturnType<typeof rangeOf>;
  const shown: readonly Variant[] = models.length ? models.map(({ variant }) => variant) : variants();
  return (
    <Figure title="Loss" file={file} caption="Mean of −log p over each batch, in nats, and its running mean">
      <Plot
        label="Loss over the steps of training"
        x={[0, steps]}
        y={[low, high]}
        xLabel="step"
        yLabel="loss (nats)"
        // Beside square figures it is nearly as high, with its legend.
        aspect={shown.length > 1 ? 0.8 : 0.62}
        grid
        draw={(context, scales) => {
          drawn.value;
          for (const { variant, training } of session.peek()?.models ?? []) {
            drawLosses(context, scales, training.losses, themeColour(`--series-${variant.series}`));
          }
        }}
      >
        {({ y, width }) =>
          entropy !== null && <line class="rule" x1={0} x2={width} y1={y(entropy)} y2={y(entropy)} />
        }
      </Plot>
      <ul class="legend">
        {shown.map(({ title, series }) => (
          <li key={title} class={`series-${series}`}>
            <span>{title}</span>
          </li>
        ))}
        {entropy !== null && (
          <li class="rule">
            <span>entropy {entropy.toFixed(3)}</span>
          </li>
        )}
      </ul>
    </Figure>
  );
}

/** Ends of the axes in round numbers, so that they change seldom. */
function rangeOf(entropy: number | null): { steps: number; low: number; high: number } {
  const steps = roundUp(Math.max(FEWEST, stepsDone.value));
  let least = entropy ?? Number.POSITIVE_INFINITY;
  let most = Number.NEGATIVE_INFINITY;
  for (const { training } of session.value?.models ?? []) {
    const { count, smooth } = training.losses;
    if (count === 0) continue;
    // The first steps fall from far above: they do not decide what is seen of the rest.
    const first = Math.min(count - 1, Math.floor(0.015 * count) + 2);
    most = Math.max(most, smooth[first]);
    least = Math.min(least, smooth[count - 1]);
  }
  if (!Number.isFinite(most)) return { steps, low: entropy === null ? 2 : entropy - 0.2, high: 5 };
  const unit = most - least > 4 ? 1 : 0.2;
  const low = Math.floor((least - 0.04) / unit) * unit;
  return { steps, low, high: Math.max(low + unit, Math.ceil((most + 0.05) / unit) * unit) };
}

/** The next of 1, 1.5, 2, 3, 5, 7 times a power of ten. */
function roundUp(steps: number): number {
  const power = 10 ** Math.floor(Math.log10(steps));
  return ([1, 1.5, 2, 3, 5, 7].find((factor) => factor * power >= steps) ?? 10) * power;
}

/** The range of the losses in each column of pixels, and the running mean over it. */
function drawLosses(
  context: CanvasRenderingContext2D,
  { x, y }: Scales,
  losses: Losses,
  colour: string,
): void {
  const { count, raw, smooth } = losses;
  if (count === 0) return;
  const stride = Math.max(1, Math.floor(x.invert(1) - x.invert(0)));
  context.strokeStyle = colour;
  context.lineJoin = "round";
  context.globalAlpha = 0.4;
  context.lineWidth = 1;
  context.beginPath();
  for (let start = 0; start < count; start += stride) {
    let low = Number.POSITIVE_INFINITY;
    let high = Number.NEGATIVE_INFINITY;
    for (let i = start; i < Math.min(start + stride, count); i++) {
      if (raw[i] < low) low = raw[i];
      if (raw[i] > high) high = raw[i];
    }
    const at = x(start + 1);
    if (start === 0) context.moveTo(at, y(high));
    context.lineTo(at, y(high));
    context.lineTo(at, y(low));
  }
  context.stroke();
  context.globalAlpha = 1;
  context.lineWidth = 2;
  context.beginPath();
  for (let i = 0; i < count; i += stride) {
    if (i === 0) context.moveTo(x(1), y(smooth[0]));
    else context.lineTo(x(i + 1), y(smooth[i]));
  }
  context.lineTo(x(count), y(smooth[count - 1]));
  context.stroke();
}
