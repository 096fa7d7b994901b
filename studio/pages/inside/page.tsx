/** See inside: points and a grid are carried from x through every block to z, and back. */
import { effect, signal, useComputed } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { themeColour } from "../../browser/theme.js";
import { Slider } from "../../controls/fields.js";
import { ModelBar } from "../../controls/model-bar.js";
import { Notice } from "../../controls/notice.js";
import { opened } from "../../models/opened.js";
import { Figure } from "../../plots/figure.js";
import { Plot, type Scales } from "../../plots/plot.js";
import { Blocks } from "./blocks.js";
import { failure, follow, type Journey, journey, pointsAt } from "./journey.js";
import { Outside } from "./outside.js";
import { PointCard } from "./point-card.js";
import { exampleFailure, fetchExample, settings, source, sources } from "./source.js";

/** Bijections that the points have passed. */
export const place = signal(0);
/** The data point that is looked at. */
export const chosen = signal(0);
const playing = signal(false);

/** A block takes so long when the way is played. */
const BLOCK_MS = 700;
/** How near the pointer must come to a point, in pixels. */
const REACH = 24;

export default function Inside() {
  useEffect(() => {
    if (sources.peek().length === 0 || settings.model.peek() === "example") void fetchExample();
    const stop = follow();
    return () => {
      stop();
      playing.value = false;
    };
  }, []);
  const options = sources.value.map(({ key, title }) => ({ value: key, label: title }));
  if (!options.some(({ value }) => value === "example"))
    options.push({ value: "example", label: "Example: 2spirals" });
  const shown = useComputed(() => source.value?.key ?? "example");
  return (
    <article class="page">
      <header class="page-head">
        <h1>See inside</h1>
        <p class="lead">
          The slider carries points and a grid from the data x through every block to the latents z, and back.
          Point at a dot to see what the model says of it.
        </p>
      </header>
      <ModelBar
        shown={shown}
        options={options}
        onChange={(key) => {
          settings.model.value = key as typeof settings.model.value;
          if (key === "example") void fetchExample();
        }}
      />
      {exampleFailure.value && !source.value && <Notice kind="error">{exampleFailure.value}</Notice>}
      {failure.value && <Notice kind="error">{failure.value}</Notice>}
      {journey.value?.path.failed && (
        <Notice kind="warning">{`On their way ${journey.value.path.failed}.`}</Notice>
      )}
      {journey.value ? <Way now={journey.value} /> : <Waiting />}
      {source.value && (
        <Outside source={source.value} opened={source.value.key === "opened" ? opened.value : null} />
      )}
    </article>
  );
}

function Waiting() {
  if (failure.value || exampleFailure.value) return null;
  return <p class="muted">The model's way is being computed…</p>;
}

function Way({ now }: { now: Journey }) {
  const { length, source } = now;
  if (place.peek() > length) place.value = length;
  const from = standardised(source);
  const at = Math.min(place.value, length);
  const share = at / length;
  const mix = (a: number, b: number) => a + share * (b - a);
  const [xmin, xmax, ymin, ymax] = from;
  const name =
    at === 0 ? "the data x" : at === length ? "the latents z" : `${trimmed(at)} of ${length} blocks passed`;
  const [xLabel, yLabel] = labels(at, length, source.standardisation !== null);
  return (
    <div class="inside">
      <Figure
        title={`Way through the blocks: ${name}`}
        file={`${source.key}-block-${trimmed(at)}`}
        caption="Dots are coloured by the direction in which they lie in the data, so that they can be followed"
      >
        <Plot
          label={`Points and grid, ${name}`}
          x={[mix(xmin, -4), mix(xmax, 4)]}
          y={[mix(ymin, -4), mix(ymax, 4)]}
          xLabel={xLabel}
          yLabel={yLabel}
          draw={(context, scales) => drawWay(context, scales, now)}
          onHover={(point) => point && choose(now, point)}
        />
      </Figure>
      <div class="inside-column">
        <div class="panel controls inside-controls">
          <Slider
            label="Way from x to z"
            value={place}
            limits={{ min: 0, max: length, step: 0.05 }}
            format={(value) => `${trimmed(value)} of ${length}`}
            onInput={() => {
              playing.value = false;
            }}
          />
          <div class="buttons">
            <button type="button" class="primary" onClick={() => play(length)}>
              {playing.value ? "Stop" : "Play"}
            </button>
            <button type="button" onClick={() => jump(0)}>
              x
            </button>
            <button type="button" onClick={() => jump(length)}>
              z
            </button>
          </div>
          <PointCard now={now} chosen={chosen} />
        </div>
        <Blocks now={now} place={place} />
      </div>
    </div>
  );
}

const trimmed = (value: number) => String(Number(value.toFixed(2)));

function jump(to: number): void {
  playing.value = false;
  place.value = to;
}

function labels(at: number, length: number, standardised: boolean): [string, string] {
  if (at === 0)
    return standardised ? ["first column, standardised", "second column, standardised"] : ["x₁", "x₂"];
  if (at === length) return ["z₁", "z₂"];
  return ["h₁", "h₂"];
}

/** Where the chain starts: standardised units, if the model has them. */
function standardised({ extent, standardisation: s }: Journey["source"]): readonly number[] {
  return s ? extent.map((value, i) => (value - s.mean[i >> 1]) / s.deviation[i >> 1]) : extent;
}

/** To the other end and, when played again, back. */
function play(length: number): void {
  if (playing.value) {
    playing.value = false;
    return;
  }
  playing.value = true;
  const sign = place.value >= length ? -1 : 1;
  let last = performance.now();
  const next = (now: number) => {
    if (!playing.value) return;
    const to = place.value + (sign * (now - last)) / BLOCK_MS;
    last = now;
    place.value = Math.min(length, Math.max(0, to));
    if (place.value === length || place.value === 0) playing.value = false;
    else requestAnimationFrame(next);
  };
  requestAnimationFrame(next);
}

effect(() => {
  if (!journey.value) playing.value = false;
});

const DIRECTIONS = [
  "--series-1",
  "--series-2",
  "--series-3",
  "--series-4",
  "--series-5",
  "--series-6",
] as const;

function drawWay(context: CanvasRenderingContext2D, { x, y, width, height }: Scales, now: Journey): void {
  const points = pointsAt(now, Math.min(place.value, now.length));
  context.strokeStyle = themeColour("--line-strong");
  context.lineWidth = 0.8;
  context.globalAlpha = 0.75;
  for (const [first, last] of now.lines) {
    context.beginPath();
    let drawing = false;
    for (let i = first; i <= last; i++) {
      const [px, py] = [x(points[2 * i]), y(points[2 * i + 1])];
      // Where a point has failed the line is interrupted.
      const known = Number.isFinite(px) && Number.isFinite(py);
      if (known && drawing) context.lineTo(px, py);
      else if (known) context.moveTo(px, py);
      drawing = known;
    }
    context.stroke();
  }
  context.globalAlpha = 0.9;
  const start = now.path.places[0];
  for (let i = 0; i < now.data; i++) {
    const direction = (Math.atan2(start[2 * i + 1], start[2 * i]) / Math.PI + 1) * 3;
    context.fillStyle = themeColour(DIRECTIONS[Math.min(5, Math.floor(direction))]);
    context.beginPath();
    context.arc(x(points[2 * i]), y(points[2 * i + 1]), 2.6, 0, 2 * Math.PI);
    context.fill();
  }
  context.globalAlpha = 1;
  const i = Math.min(chosen.value, now.data - 1);
  const [px, py] = [x(points[2 * i]), y(points[2 * i + 1])];
  context.strokeStyle = themeColour("--ink");
  context.lineWidth = 2;
  context.beginPath();
  context.arc(Math.min(width, Math.max(0, px)), Math.min(height, Math.max(0, py)), 7, 0, 2 * Math.PI);
  context.stroke();
}

/** The data point nearest to the pointer, if one is near. */
function choose(now: Journey, { x, y, scales }: { x: number; y: number; scales: Scales }): void {
  const points = pointsAt(now, Math.min(place.value, now.length));
  let best = -1;
  let least = REACH;
  for (let i = 0; i < now.data; i++) {
    const distance = Math.hypot(
      scales.x(points[2 * i]) - scales.x(x),
      scales.y(points[2 * i + 1]) - scales.y(y),
    );
    if (distance < least) [best, least] = [i, distance];
  }
  if (best >= 0) chosen.value = best;
}
