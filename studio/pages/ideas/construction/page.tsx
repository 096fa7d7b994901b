/** The geometric construction: a 1-Lipschitz graph, turned by 45 degrees, is the graph of a monotone function. */
import { signal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { mirroredAndTurned, scaled, type Turn } from "../../../../src/experiments/theory/turn.js";
import { addressSettings, number, type Setting } from "../../../browser/settings.js";
import { Slider } from "../../../controls/fields.js";
import { Formula } from "../../../controls/formula.js";
import { Curve } from "../../../plots/curve.js";
import { Figure } from "../../../plots/figure.js";
import { Plot, type Scales } from "../../../plots/plot.js";
import { fixed } from "../format.js";
import { Idea } from "../idea.js";
import { cayleySlope, dragged, kept, knots, slopesOf } from "./graph.js";

const END = 2.7;
const MOST = 2.5;
const INITIAL = "-0.6 -1 -0.9 -0.5 -0.1 0.3 0 -0.4 -0.3 0.1 0.5";

/** Heights of the knots, written with spaces between them. */
const heightsSetting: Setting<string> = {
  initial: INITIAL,
  read(text) {
    const numbers = text.split(" ").map(Number);
    const good = numbers.length === knots.length && numbers.every((h) => Math.abs(h) <= MOST);
    return good ? text : undefined;
  },
  write: (value) => value,
};
const settings = addressSettings("ideas/construction", {
  L: number(0.9, { min: 0.05, max: 0.98, step: 0.01 }),
  angle: number(45, { min: 0, max: 45, step: 1 }),
  heights: heightsSetting,
});
/** The knot that the keyboard moves, from 1 on. */
const chosen = signal(6);
/** Where the turn is going by itself: to 45 or to 0 degrees; null where it is not. */
const goal = signal<number | null>(null);
/** Degrees a second. */
const SPEED = 22;

const current = () => kept(settings.heights.value.split(" ").map(Number), settings.L.value);

function move(knot: number, height: number): void {
  const limited = Math.max(-MOST, Math.min(MOST, height));
  const moved = dragged(current(), settings.L.value, knot, limited);
  settings.heights.value = moved.map((h) => String(Number(h.toFixed(3)))).join(" ");
}

/** The knot that is being dragged. */
let held = 0;
function drag(w: number, g: number, first: boolean): void {
  if (first) {
    held = knots.reduce((best, at, i) => (Math.abs(at - w) < Math.abs(knots[best] - w) ? i : best), 0);
    chosen.value = held + 1;
  }
  move(held, g);
}

export default function Construction() {
  const L = settings.L.value;
  const degrees = settings.angle.value;
  const heights = current();
  const graph = knots.map((w, i) => [w, heights[i]] as const);
  // It shrinks by sqrt 2 on its way.
  const factor = Math.SQRT1_2 ** (degrees / 45);
  const turn: Turn = (point) => scaled(factor)(mirroredAndTurned(degrees)(point));
  const back = ({ x, y }: { x: number; y: number }) => mirroredAndTurned(degrees)(scaled(1 / factor)([x, y]));
  const slopes = slopesOf(heights);
  const [least, greatest] = [Math.min(...slopes), Math.max(...slopes)];
  const there = degrees === 45;
  const height = {
    get value() {
      return Number(current()[chosen.value - 1].toFixed(3));
    },
    set value(h: number) {
      move(chosen.peek() - 1, h);
    },
  };

  const to = goal.value;
  useEffect(() => {
    if (to === null) return;
    let frame = 0;
    let last = performance.now();
    const advance = (now: number) => {
      const way = to - settings.angle.peek();
      const step = Math.min(Math.abs(way), (SPEED * Math.max(0, now - last)) / 1000);
      last = now;
      settings.angle.value = Number((settings.angle.peek() + Math.sign(way) * step).toFixed(2));
      if (settings.angle.peek() === to) goal.value = null;
      else frame = requestAnimationFrame(advance);
    };
    frame = requestAnimationFrame(advance);
    return () => cancelAnimationFrame(frame);
  }, [to]);

  return (
    <Idea
      title="The geometric construction"
      lead={
        <>
          Drag the points of the graph of <Formula tex="G" />: its slopes stay between <Formula tex="-L" />{" "}
          and <Formula tex="L" />. Mirrored and turned by 45°, it is the graph of an increasing function{" "}
          <Formula tex="F" />. Turn it there and back, and drag it there too.
        </>
      }
      figures={
        <div class="figures two-wide">
          <Figure
            title="The graph of G"
            file="construction-g"
            caption="Shaded: the double cone of slopes between −L and L at the middle point. Neighbours follow where L asks it."
          >
            <Plot
              label={`A piecewise linear G with slopes from ${fixed(least)} to ${fixed(greatest)}`}
              x={[-END, END]}
              y={[-END, END]}
              xLabel="w"
              yLabel="G(w)"
              maxWidth={520}
              onDrag={({ x, y, first }) => drag(x, y, first)}
            >
              {(scales) => <Graph scales={scales} graph={graph} turn={(point) => point} L={L} />}
            </Plot>
          </Figure>
          <Figure
            title={there ? "The graph of F" : `Mirrored and turned by ${fixed(degrees, 0)}°`}
            file="construction-f"
            caption={
              there
                ? "Shrunk by √2, the points are ((w + G)/2, (w − G)/2). The cone has become one of slopes from (1−L)/(1+L) to (1+L)/(1−L)."
                : "The same points, mirrored at the horizontal axis, turned, and shrinking by √2 on the way. Dashed: the axes that turn along."
            }
          >
            <Plot
              label={
                there
                  ? `The monotone F with slopes from ${fixed(cayleySlope(greatest))} to ${fixed(cayleySlope(least))}`
                  : `The graph of G mirrored and turned by ${fixed(degrees, 0)} degrees`
              }
              x={[-END, END]}
              y={[-END, END]}
              xLabel={there ? "x = (w + G) / 2" : "first coordinate"}
              yLabel={there ? "y = F(x) = (w − G) / 2" : "second coordinate"}
              maxWidth={520}
              onDrag={({ first, ...at }) => {
                const [w, g] = back(at);
                drag(w, g, first);
              }}
            >
              {(scales) => (
                <>
                  <Curve
                    scales={scales}
                    points={[[-9, 0] as const, [9, 0] as const].map(turn)}
                    class="rule"
                  />
                  <Curve
                    scales={scales}
                    points={[[0, -9] as const, [0, 9] as const].map(turn)}
                    class="rule"
                  />
                  <Graph scales={scales} graph={graph} turn={turn} L={L} kind="series-2" />
                </>
              )}
            </Plot>
          </Figure>
        </div>
      }
      controls={
        <div class="panel controls">
          <Slider
            label="Angle of the turn"
            value={settings.angle}
            format={(value) => `${fixed(value, 0)}°`}
            onInput={() => {
              goal.value = null;
            }}
          />
          <div class="buttons">
            <button
              type="button"
              class="primary"
              onClick={() => {
                goal.value = to === 45 || (to === null && degrees === 45) ? 0 : 45;
              }}
            >
              {to === 45 || (to === null && degrees === 45) ? "Turn back to G" : "Turn to F"}
            </button>
          </div>
          <Slider label="Bound L on the slopes of G" value={settings.L} format={(value) => fixed(value)} />
          <Slider
            label="Point"
            value={chosen}
            limits={{ min: 1, max: knots.length, step: 1 }}
            hint="By keyboard: choose a point, then its height."
          />
          <Slider
            label="Height of the point"
            value={height as unknown as typeof chosen}
            limits={{ min: -MOST, max: MOST, step: 0.05 }}
            format={(value) => fixed(value)}
          />
          <div class="buttons">
            <button
              type="button"
              onClick={() => {
                settings.heights.value = INITIAL;
              }}
            >
              Reset the graph
            </button>
          </div>
          <dl class="readings">
            <div>
              <dt>slopes of G</dt>
              <dd class="num">
                {fixed(least)} to {fixed(greatest)}
              </dd>
            </div>
            <div>
              <dt>slopes of F</dt>
              <dd class="num">
                {fixed(cayleySlope(greatest))} to {fixed(cayleySlope(least))}
              </dd>
            </div>
          </dl>
        </div>
      }
    >
      <p>
        The turn is the Cayley transform. Each point <Formula tex="(w, G(w))" /> becomes a point of the graph
        of <Formula tex="F" />, and the same formula leads back:
      </p>
      <Formula
        block
        tex="\begin{aligned} x &= \tfrac{w + G(w)}{2}, & y &= \tfrac{w - G(w)}{2}\\[0.4em] \Longleftrightarrow\quad w &= x + y, & G(w) &= x - y . \end{aligned}"
      />
      <p>
        A slope <Formula tex="s" /> of <Formula tex="G" /> becomes <Formula tex="\tfrac{1-s}{1+s}" />, which
        is positive as long as <Formula tex="|s| < 1" />. So every contraction makes a strongly monotone
        function, and every such function with bounded slopes comes from one: nothing is lost. A Monotone Flow
        learns <Formula tex="G" /> and computes with <Formula tex="F" />.
      </p>
    </Idea>
  );
}

/** A graph with its knots, the cone at its middle and three points in colours of their own, all of it turned. */
function Graph({
  scales,
  graph,
  turn,
  L,
  kind = "series-1",
}: {
  scales: Scales;
  graph: readonly (readonly [number, number])[];
  turn: Turn;
  L: number;
  kind?: string;
}) {
  const [w, g] = graph[(graph.length - 1) / 2];
  const far = 12;
  const corners = [
    [-far, -L * far],
    [-far, L * far],
    [0, 0],
    [far, L * far],
    [far, -L * far],
    [0, 0],
  ].map(([a, b]) => turn([w + a, g + b]));
  const at = ([a, b]: readonly [number, number]) => `${scales.x(a)},${scales.y(b)}`;
  return (
    <>
      <path class="allowed" d={`M${corners.map(at).join("L")}Z`} />
      <Curve scales={scales} points={graph.map(turn)} class={`${kind} bold`} />
      {graph.map((point, i) => {
        const [a, b] = turn(point);
        const marked = { 2: 3, 5: 4, 8: 5 }[i];
        return (
          <circle
            key={i}
            class={`knot ${marked ? `fill-${marked}` : ""} ${chosen.value === i + 1 ? "chosen" : ""}`}
            cx={scales.x(a)}
            cy={scales.y(b)}
            r={chosen.value === i + 1 ? 8 : 6}
          />
        );
      })}
    </>
  );
}
