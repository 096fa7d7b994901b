/** Expressive power: which formulations carry a pair of points to a target. */
import { signal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import {
  balls,
  distanceOutside,
  lipschitzNeeded,
  minus,
  norm,
  type Point,
} from "../../../../src/experiments/theory/balls.js";
import { addressSettings, number } from "../../../browser/settings.js";
import { Choice, Slider } from "../../../controls/fields.js";
import { Formula } from "../../../controls/formula.js";
import { Notice } from "../../../controls/notice.js";
import { WorkerFailure } from "../../../controls/worker-failure.js";
import type { Formulation } from "../../../library.js";
import { missing } from "../../../models/missing.js";
import { useWorker } from "../../../models/use-worker.js";
import { Curve } from "../../../plots/curve.js";
import { Figure } from "../../../plots/figure.js";
import { Plot } from "../../../plots/plot.js";
import { fixed } from "../format.js";
import { formulations } from "../formulations.js";
import { Idea } from "../idea.js";
import { type PowerNews, type PowerOrder, STEPS } from "./messages.js";
import { type View, viewOf } from "./view.js";

const END_P = 2;
const END_Q = 8;
const settings = addressSettings("ideas/power", {
  L: number(0.6, { min: 0.05, max: 0.9, step: 0.01 }),
  p1: number(1, { min: -END_P, max: END_P, step: 0.05 }),
  p2: number(0, { min: -END_P, max: END_P, step: 0.05 }),
  q1: number(2.4, { min: -END_Q, max: END_Q, step: 0.1 }),
  q2: number(1.4, { min: -END_Q, max: END_Q, step: 0.1 }),
  seed: number(1, { min: 0, max: 9999, step: 1 }),
});
type Moved = "target" | "p";
const moved = signal<Moved>("target");
const news = signal<PowerNews | null>(null);
/** Where each network has been since the last change. */
const trails = signal<Record<Formulation, Point[]>>({ residual: [], "inverse-residual": [], monotone: [] });
/** What is shown while a pointer drags: the picture does not move under it. */
const held = signal<View | null>(null);

/** Shares of |q| by which a target may be missed and yet count as reached. */
const NEAR = 0.02;
/** The least length of p. */
const SHORTEST = 0.25;

const order = (): PowerOrder => ({
  lipschitz: settings.L.value,
  p: shownP(),
  target: [settings.q1.value, settings.q2.value],
  seed: settings.seed.value,
});

/** p, never shorter than can be seen. */
function shownP(): Point {
  const p: Point = [settings.p1.value, settings.p2.value];
  const size = norm(p);
  if (size >= SHORTEST) return p;
  return size === 0 ? [SHORTEST, 0] : [(SHORTEST * p[0]) / size, (SHORTEST * p[1]) / size];
}

const within = (value: number, end: number) => Number(Math.max(-end, Math.min(end, value)).toFixed(2));

let waiting = false;

export default function Power() {
  const now = order();
  const { lipschitz: L, p, target } = now;
  const text = JSON.stringify(now);
  const link = useWorker<PowerOrder, PowerNews>(
    () => new Worker(new URL("./worker.ts", import.meta.url), { type: "module" }),
    (reached, self) => {
      const fresh = reached.step <= 5;
      trails.value = Object.fromEntries(
        formulations.map(({ name }) => [
          name,
          fresh ? [reached.q[name]] : [...trails.peek()[name], reached.q[name]],
        ]),
      ) as Record<Formulation, Point[]>;
      news.value = reached;
      requestAnimationFrame(() => {
        const next = order();
        if (reached.done && JSON.stringify(next) === JSON.stringify(reached.order)) waiting = true;
        else self.order(next);
      });
    },
    (self) => {
      waiting = false;
      self.order(order());
    },
  );
  useEffect(() => {
    if (!waiting) return;
    waiting = false;
    link.order(order());
  }, [text]);
  useEffect(() => {
    const release = () => {
      held.value = null;
    };
    addEventListener("pointerup", release);
    addEventListener("pointercancel", release);
    return () => {
      removeEventListener("pointerup", release);
      removeEventListener("pointercancel", release);
    };
  }, []);

  const view = held.value ?? viewOf(L, p, target);
  const dragged = useRef<Moved>("target");
  const reached = news.value?.q;
  const current = news.value && JSON.stringify(news.value.order) === text;
  const rows = formulations.map((formulation) => {
    const needed = lipschitzNeeded[formulation.name](p, target);
    const missed = reached ? norm(minus(reached[formulation.name], target)) : Number.NaN;
    const arrived = missed <= NEAR * Math.max(norm(target), norm(p));
    const possible = needed <= L;
    return {
      ...formulation,
      needed,
      missed,
      arrived,
      possible,
      outside: distanceOutside(formulation.name, L, p, target),
    };
  });
  const lost = rows.filter(({ missed }) => reached && Number.isNaN(missed));
  const gone = missing([{ failed: lost.length, of: rows.length, what: "images of p" }]);
  const verdict = (row: (typeof rows)[number]) => {
    if (row.arrived && current) return "reached";
    if (!row.possible) return "out of reach";
    if (lost.includes(row)) return "not known";
    return news.value?.done && current ? "not yet reached" : "on its way";
  };
  return (
    <Idea
      title="Expressive power"
      lead={
        <>
          Two points lie apart by <Formula tex="p" />; a block carries them apart by <Formula tex="q" />.
          Click a target for <Formula tex="q" />, and three small networks with the same bound{" "}
          <Formula tex="L" /> are optimised to reach it, one for each formulation.
        </>
      }
      figures={
        <Figure
          title="The regions of q, and three networks on their way"
          file="expressive-power"
          caption="Shaded: what each formulation can reach. Dots with trails: where the networks carry p now. Ring: the target. A network whose region does not hold the target stops at the region's edge."
        >
          <Plot
            label={`Three balls for p = (${p.map((c) => fixed(c)).join(", ")}) and L = ${fixed(L)}; target (${target.map((c) => fixed(c)).join(", ")}): ${rows.map((row) => `${row.title} ${verdict(row)}`).join(", ")}`}
            x={view.x}
            y={view.y}
            xLabel="first coordinate of q"
            yLabel="second coordinate of q"
            maxWidth={620}
            onDrag={({ x, y, first }) => {
              if (first) {
                held.value = view;
                const reach = 0.05 * (view.x[1] - view.x[0]);
                // p is taken where it is touched, whatever the choice says.
                dragged.current = norm(minus([x, y], p)) < reach ? "p" : moved.peek();
              }
              if (dragged.current === "p") {
                settings.p1.value = within(x, END_P);
                settings.p2.value = within(y, END_P);
              } else {
                settings.q1.value = within(x, END_Q);
                settings.q2.value = within(y, END_Q);
              }
            }}
          >
            {(scales) => {
              const { x, y, width } = scales;
              const unit = width / (view.x[1] - view.x[0]);
              return (
                <>
                  <line class="axis" x2={width} y1={y(0)} y2={y(0)} />
                  <line class="axis" y2={width} x1={x(0)} x2={x(0)} />
                  {[...formulations].reverse().map(({ name, series }) => {
                    const { centre, radius } = balls[name](L);
                    return (
                      <circle
                        key={name}
                        class={`ball fill-${series} edge-${series}`}
                        cx={x(centre * p[0])}
                        cy={y(centre * p[1])}
                        r={radius * norm(p) * unit}
                      />
                    );
                  })}
                  <path class="arrow" d={`M${x(0)},${y(0)}L${x(p[0])},${y(p[1])}`} />
                  <circle class="dot-p" cx={x(p[0])} cy={y(p[1])} r={7} />
                  <text class="label strong" x={x(p[0]) + 10} y={y(p[1]) + 16}>
                    p
                  </text>
                  <text class="label" x={x(0) - 6} y={y(0) + 16} text-anchor="end">
                    0
                  </text>
                  {rows.map(({ name, series }) => (
                    <Curve
                      key={name}
                      scales={scales}
                      points={trails.value[name]}
                      class={`series-${series} thin`}
                    />
                  ))}
                  <circle class="target" cx={x(target[0])} cy={y(target[1])} r={11} />
                  {reached &&
                    rows
                      .filter((row) => !lost.includes(row))
                      .map(({ name, series }) => (
                        <circle
                          key={name}
                          class={`reached fill-${series}`}
                          cx={x(reached[name][0])}
                          cy={y(reached[name][1])}
                          r={6}
                        />
                      ))}
                </>
              );
            }}
          </Plot>
          <ul class="legend">
            {formulations.map(({ name, title, series }) => (
              <li key={name} class={`series-${series}`}>
                <span>{title}</span>
              </li>
            ))}
          </ul>
        </Figure>
      }
      controls={
        <>
          <div class="panel controls">
            <Slider label="Bound L on Lip(G)" value={settings.L} format={(value) => fixed(value)} />
            <Choice
              label="The pointer moves"
              value={moved}
              options={[
                { value: "target", label: "the target" },
                { value: "p", label: "p" },
              ]}
            />
            <div class="pair">
              <Slider label="Target q₁" value={settings.q1} format={(v) => fixed(v)} />
              <Slider label="Target q₂" value={settings.q2} format={(v) => fixed(v)} />
              <Slider label="p₁" value={settings.p1} format={(v) => fixed(v)} />
              <Slider label="p₂" value={settings.p2} format={(v) => fixed(v)} />
            </div>
            <div class="buttons">
              <button
                type="button"
                onClick={() => {
                  settings.seed.value = (settings.seed.value + 1) % 10_000;
                }}
              >
                New networks
              </button>
            </div>
            <p class="note num" data-testid="power-steps">
              {news.value === null ? "The networks are being made." : `Step ${news.value.step} of ${STEPS}.`}
            </p>
            {gone && <Notice kind="warning">{gone}</Notice>}
            <WorkerFailure link={link} />
          </div>
          <div class="panel">
            <table class="reach">
              <caption class="visually-hidden">Which formulations reach the target</caption>
              <thead>
                <tr>
                  <th scope="col">formulation</th>
                  <th scope="col">needs L of</th>
                  <th scope="col">misses by</th>
                </tr>
              </thead>
              <tbody>
                {rows.map((row) => (
                  <tr key={row.name}>
                    <th scope="row">
                      <span class={`swatch fill-${row.series}`} /> {row.title}
                      <small class={verdict(row) === "reached" ? "yes" : "no"}>{verdict(row)}</small>
                    </th>
                    <td>{row.needed < 100 ? fixed(row.needed) : "∞"}</td>
                    <td>{Number.isNaN(row.missed) ? "–" : fixed(row.missed)}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
        </>
      }
    >
      <p>
        For <Formula tex="p = x_1 - x_2" /> and <Formula tex="q = F(x_1) - F(x_2)" />, the bound{" "}
        <Formula tex="\mathrm{Lip}(G) \le L" /> says exactly
      </p>
      <Formula
        block
        tex="\begin{aligned}\text{residual:}&\quad \|q - p\| \le L\,\|p\|\\ \text{inverse residual:}&\quad \|p - q\| \le L\,\|q\|\\ \text{monotone:}&\quad \|p - q\| \le L\,\|p + q\|\end{aligned}"
      />
      <p>
        Each is a ball. For <Formula tex="0 < L < 1" /> the third contains the first two strictly: with the
        same network, a monotone block reaches further on every side. Where the needed <Formula tex="L" /> is
        1 or more, no block of that kind gets there, however large its network. The networks here are small
        (two layers of 16 channels) and piecewise linear.
      </p>
    </Idea>
  );
}
