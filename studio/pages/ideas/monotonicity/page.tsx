/** Strong monotonicity: the slopes that each formulation can have, and networks that have them. */
import { signal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { slopeBounds } from "../../../../src/bijections/slopes.js";
import { addressSettings, number } from "../../../browser/settings.js";
import { Slider } from "../../../controls/fields.js";
import { Formula } from "../../../controls/formula.js";
import { Notice } from "../../../controls/notice.js";
import { WorkerFailure } from "../../../controls/worker-failure.js";
import { missing } from "../../../models/missing.js";
import { useWorker } from "../../../models/use-worker.js";
import { Curve } from "../../../plots/curve.js";
import { Figure } from "../../../plots/figure.js";
import { Plot } from "../../../plots/plot.js";
import { fixed } from "../format.js";
import { formulations } from "../formulations.js";
import { Idea } from "../idea.js";
import { END, POINTS, type SlopesNews, type SlopesOrder, STEPS } from "./messages.js";

const settings = addressSettings("ideas/monotonicity", {
  L: number(0.8, { min: 0.05, max: 0.95, step: 0.01 }),
  seed: number(1, { min: 0, max: 9999, step: 1 }),
});
const news = signal<SlopesNews | null>(null);

const KINDS = [
  { aim: "random", title: "random networks", class: "series-6 thin" },
  { aim: "flattest", title: "trained: flattest around 0", class: "series-3" },
  { aim: "steepest", title: "trained: steepest around 0", class: "series-2" },
  { aim: "alternating", title: "trained: both by turns", class: "series-1" },
] as const;
const RANGES = {
  residual: "[1-L,\\;1+L]",
  "inverse-residual": "\\left[\\tfrac{1}{1+L},\\;\\tfrac{1}{1-L}\\right]",
  monotone: "\\left[\\tfrac{1-L}{1+L},\\;\\tfrac{1+L}{1-L}\\right]",
} as const;

const xOf = (i: number) => -END + (2 * END * i) / (POINTS - 1);
const pointsOf = (values: Float32Array) => Array.from(values, (y, i) => [xOf(i), y] as const);
const make = (): SlopesOrder => ({
  kind: "make",
  lipschitz: settings.L.value,
  seed: settings.seed.value,
});

export default function Monotonicity() {
  /** Whether the worker has an order of which the answer is still to come. */
  const link = useWorker<SlopesOrder, SlopesNews>(
    () => new Worker(new URL("./worker.ts", import.meta.url), { type: "module" }),
    (curves, self) => {
      news.value = curves;
      requestAnimationFrame(() => {
        const order = make();
        const stale =
          order.kind === "make" && (curves.lipschitz !== order.lipschitz || seedMade !== order.seed);
        if (stale) start(self.order);
        else if (!curves.done) self.order({ kind: "go" });
        else waiting = true;
      });
    },
    (self) => start(self.order),
  );
  const { L, seed } = { L: settings.L.value, seed: settings.seed.value };
  useEffect(() => {
    if (waiting) start(link.order);
  }, [L, seed]);

  const now = news.value;
  // Curves of another bound would stand outside the cones.
  const curves = now && now.lipschitz <= L + 1e-9 ? now.curves : [];
  const gone = missing([
    {
      failed: curves.reduce((sum, { failed }) => sum + failed, 0),
      of: POINTS * curves.length,
      what: "points of the curves",
    },
  ]);
  return (
    <Idea
      title="Strong monotonicity"
      lead={
        <>
          A bound <Formula tex="L" /> on <Formula tex="\mathrm{Lip}(G)" /> keeps the slopes of a block in a
          range: the graph stays inside a cone. Slide <Formula tex="L" />, and see what random networks and
          networks trained for the ends of the range make of it.
        </>
      }
      figures={
        <div class="figures three">
          {formulations.map(({ name, title }) => {
            const [low, high] = slopeBounds[name](L);
            const own = KINDS.flatMap((kind) =>
              curves
                .filter((c) => c.formulation === name && c.aim === kind.aim)
                .map((c) => ({ ...c, class: kind.class })),
            );
            const slopes = own.flatMap(({ slope }) => [...slope].filter(Number.isFinite));
            const range = slopes.length
              ? `; drawn slopes from ${fixed(Math.min(...slopes))} to ${fixed(Math.max(...slopes))}`
              : "";
            return (
              <Figure
                key={name}
                title={title[0].toUpperCase() + title.slice(1)}
                file={`slopes-${name}`}
                caption={
                  <>
                    Slopes in <Formula tex={RANGES[name]} />, here {fixed(low)} to {fixed(high)}.
                  </>
                }
              >
                <Plot
                  label={`Functions of ${title} blocks inside the cone of slopes ${fixed(low)} to ${fixed(high)}${range}`}
                  x={[-END, END]}
                  y={[-5, 5]}
                  xLabel="x"
                  yLabel="F(x) − F(0)"
                >
                  {(scales) => (
                    <>
                      <Cone scales={scales} low={low} high={high} />
                      {own.map((c, i) => (
                        <Curve key={i} scales={scales} points={pointsOf(c.value)} class={c.class} />
                      ))}
                    </>
                  )}
                </Plot>
                <Plot
                  label={`Their slopes along x, between the bounds ${fixed(low)} and ${fixed(high)}`}
                  x={[-END, END]}
                  y={[0.02, 50]}
                  logY
                  aspect={0.75}
                  xLabel="x"
                  yLabel="slope F′(x)"
                >
                  {(scales) => (
                    <>
                      <rect
                        class="allowed"
                        width={scales.width}
                        y={scales.y(high)}
                        height={scales.y(low) - scales.y(high)}
                      />
                      {own.map((c, i) => (
                        <Curve key={i} scales={scales} points={pointsOf(c.slope)} class={c.class} />
                      ))}
                      {[low, high].map((bound) => (
                        <line
                          key={bound}
                          class="rule"
                          x2={scales.width}
                          y1={scales.y(bound)}
                          y2={scales.y(bound)}
                        />
                      ))}
                    </>
                  )}
                </Plot>
              </Figure>
            );
          })}
        </div>
      }
      controls={
        <div class="panel controls">
          <Slider label="Bound L on Lip(G)" value={settings.L} format={(value) => fixed(value)} />
          <div class="buttons">
            <button
              type="button"
              onClick={() => {
                settings.seed.value = (settings.seed.value + 1) % 10_000;
              }}
            >
              Draw other networks
            </button>
          </div>
          <ul class="legend column">
            {KINDS.map(({ aim, title, class: kind }) => (
              <li key={aim} class={kind}>
                <span>{title}</span>
              </li>
            ))}
            <li class="area">
              <span>allowed by L</span>
            </li>
          </ul>
          <p class="note num" data-testid="slope-steps">
            {now === null
              ? "The networks are being made."
              : now.done
                ? `Trained for ${now.step} steps.`
                : `Training: step ${now.step} of ${STEPS}.`}
          </p>
          {gone && <Notice kind="warning">{gone}</Notice>}
          <WorkerFailure link={link} />
        </div>
      }
    >
      <p>
        A function is strongly monotone if its slopes stay above some <Formula tex="m > 0" />; here they also
        stay bounded. A residual block is never steeper than <Formula tex="1 + L < 2" />, and an inverse
        residual block never flatter than <Formula tex="\tfrac{1}{1+L} > \tfrac12" />. The monotone block{" "}
        <Formula tex="F = \left(\frac{\mathrm{Id} + G}{2}\right)^{-1} - \mathrm{Id}" /> turns a slope{" "}
        <Formula tex="s" /> of the same <Formula tex="G" /> into
      </p>
      <Formula block tex="\frac{1 - s}{1 + s} \;\in\; \left[\frac{1-L}{1+L},\; \frac{1+L}{1-L}\right]," />
      <p>
        so it can be both steep and flat. The trained networks push the logarithm of the slope up or down,
        which in one dimension is the log-determinant, and come to the edges without crossing them.
      </p>
    </Idea>
  );
}

let waiting = false;
let seedMade = -1;
function start(order: (order: SlopesOrder) => void): void {
  waiting = false;
  seedMade = settings.seed.peek();
  order(make());
}

function Cone({
  scales: { x, y },
  low,
  high,
}: {
  scales: Parameters<NonNullable<Parameters<typeof Plot>[0]["children"]>>[0];
  low: number;
  high: number;
}) {
  const side = (end: number) => `M${x(0)},${y(0)} L${x(end)},${y(low * end)} L${x(end)},${y(high * end)} Z`;
  return <path class="allowed" d={`${side(END)} ${side(-END)}`} />;
}
