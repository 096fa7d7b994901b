/** CPila and its rivals: values, derivatives, and gradients through depth. */
import { batch, signal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import type { Activation } from "../../../../src/activations/activation.js";
import { activations } from "../../../../src/activations/index.js";
import { jets, slopeLength } from "../../../../src/experiments/theory/activation-jets.js";
import { quantile, sorted } from "../../../../src/plots/quantile.js";
import { addressSettings, choice, flag, number } from "../../../browser/settings.js";
import { Check, Choice, Slider } from "../../../controls/fields.js";
import { Formula } from "../../../controls/formula.js";
import { WorkerFailure } from "../../../controls/worker-failure.js";
import { useWorker } from "../../../models/use-worker.js";
import { Curve } from "../../../plots/curve.js";
import { Figure } from "../../../plots/figure.js";
import { Plot } from "../../../plots/plot.js";
import { fixed } from "../format.js";
import { Idea } from "../idea.js";
import { DEPTHS, type DepthNews, type DepthOrder, INPUTS, NETWORKS, ROUNDS } from "./messages.js";

const END = 2.5;
/** Even, so that kinks at 0 lie between two points. */
const POINTS = 500;
const X = Array.from({ length: POINTS }, (_, i) => -END + (2 * END * i) / (POINTS - 1));

const settings = addressSettings("ideas/activations", {
  CPila: flag(true),
  CLipSwish: flag(true),
  LipSwish: flag(false),
  CReLU: flag(true),
  ReLU: flag(false),
  ELU: flag(false),
  tanh: flag(false),
  mirror: flag(false),
  x: number(-0.2, { min: -END, max: END, step: 0.05 }),
  network: choice("multilayer", ["multilayer", "dense"]),
  weights: choice("orthonormal", ["orthonormal", "normal"]),
});
type Name = "CPila" | "CLipSwish" | "LipSwish" | "CReLU" | "ReLU" | "ELU" | "tanh";
/** Orange for CPila and blue for CLipSwish, as in the report. */
const SERIES: Record<Name, number> = {
  CPila: 2,
  CLipSwish: 1,
  CReLU: 3,
  ReLU: 4,
  ELU: 5,
  tanh: 6,
  LipSwish: 7,
};

/** Norms by network, weights, activation and depth. */
const norms = signal<ReadonlyMap<string, { rounds: number; values: number[] }>>(new Map());
const keyOf = ({ kind, law, activation, depth }: Omit<DepthOrder, "round">) =>
  `${kind} ${law} ${activation} ${depth}`;

const shownNames = () => activations.map(({ name }) => name as Name).filter((name) => settings[name].value);

/** What is to be measured next: the least measured of what is shown; null when all is done. */
function nextOrder(): DepthOrder | null {
  let best: DepthOrder | null = null;
  for (const activation of shownNames()) {
    for (const depth of DEPTHS) {
      const cell = { kind: settings.network.value, law: settings.weights.value, activation, depth };
      const round = norms.peek().get(keyOf(cell))?.rounds ?? 0;
      if (round < (best?.round ?? ROUNDS)) best = { ...cell, round };
    }
  }
  return best;
}

let waiting = false;

const ORDERS = [
  { order: "value", title: "Value", y: [-0.6, 2.6] },
  { order: "first", title: "First derivative", y: [-1.2, 1.2] },
  { order: "second", title: "Second derivative", y: [-1.7, 3.2] },
] as const;

export default function Activations() {
  const names = shownNames();
  const chosen = activations.filter(({ name }) => names.includes(name as Name));
  const at = settings.x.value;
  const { value: kind } = settings.network;
  const { value: law } = settings.weights;
  const mirror = settings.mirror.value;

  const go = (order: (order: DepthOrder) => void) => {
    const next = nextOrder();
    waiting = next === null;
    if (next) order(next);
  };
  const link = useWorker<DepthOrder, DepthNews>(
    () => new Worker(new URL("./worker.ts", import.meta.url), { type: "module" }),
    ({ order, norms: values }, self) => {
      const all = new Map(norms.peek());
      const before = all.get(keyOf(order));
      all.set(keyOf(order), { rounds: order.round + 1, values: [...(before?.values ?? []), ...values] });
      norms.value = all;
      requestAnimationFrame(() => go(self.order));
    },
    (self) => go(self.order),
  );
  useEffect(() => {
    if (waiting) go(link.order);
  }, [names.join(), kind, law]);

  const summaries = chosen.map(({ name }) => ({
    name: name as Name,
    points: DEPTHS.flatMap((depth, i) => {
      const cell = norms.value.get(keyOf({ kind, law, activation: name, depth }));
      if (!cell) return [];
      const ascending = sorted(cell.values);
      const [low, median, high] = [0.25, 0.5, 0.75].map((q) => quantile(ascending, q));
      return [{ at: i, depth, low, median, high }];
    }),
  }));
  const counted = Math.max(
    0,
    ...[...norms.value].filter(([key]) => key.startsWith(`${kind} ${law}`)).map(([, { rounds }]) => rounds),
  );
  const lowest = Math.min(0.1, ...summaries.flatMap(({ points }) => points.map(({ low }) => low)));
  const floor = 10 ** Math.max(-12, Math.floor(Math.log10(Math.max(lowest, 1e-12))));

  return (
    <Idea
      title="CPila and its rivals"
      lead="A bound on a network is worth only what its activations let through. Compare their slopes, and watch what is left of a gradient after many layers."
      figures={
        <>
          <div class="figures two-wide">
            {ORDERS.map(({ order, title, y }) => (
              <Figure key={order} title={title} file={`activations-${order}`}>
                <Plot
                  label={`${title} of ${names.join(", ") || "nothing"}`}
                  x={[-END, END]}
                  y={y}
                  aspect={0.62}
                  xLabel="x"
                  yLabel={title.toLowerCase()}
                  grid
                  onDrag={({ x }) => setX(x)}
                >
                  {(scales) => (
                    <>
                      {chosen.map((activation) => (
                        <Outputs
                          key={activation.name}
                          scales={scales}
                          activation={activation}
                          order={order}
                          mirror={mirror}
                        />
                      ))}
                      <line class="marker" x1={scales.x(at)} x2={scales.x(at)} y2={scales.height} />
                    </>
                  )}
                </Plot>
              </Figure>
            ))}
            <Figure title="Slope of all outputs together" file="activations-slope">
              <Plot
                label={`The local Lipschitz constant: ${chosen.map((a) => `${a.name} ${fixed(slopeLength(a, at))} at ${fixed(at)}`).join(", ")}`}
                x={[-END, END]}
                y={[0, 1.1]}
                aspect={0.62}
                xLabel="x"
                yLabel="local Lipschitz constant"
                grid
                onDrag={({ x }) => setX(x)}
              >
                {(scales) => (
                  <>
                    {chosen.map((activation) => (
                      <Curve
                        key={activation.name}
                        scales={scales}
                        points={X.map((x) => [x, slopeLength(activation, x)])}
                        class={`series-${SERIES[activation.name as Name]}`}
                      />
                    ))}
                    <line class="marker" x1={scales.x(at)} x2={scales.x(at)} y2={scales.height} />
                  </>
                )}
              </Plot>
            </Figure>
          </div>
          <Figure
            title="What is left of a gradient through depth"
            file="activations-depth"
            caption={
              <>
                Length of the gradient of a random direction of the output, at normal inputs, through random
                networks with every weight at norm 0.999: median and quartiles over {counted * NETWORKS}{" "}
                networks with {INPUTS} inputs each, measured live.
              </>
            }
          >
            <Plot
              label={`Median gradient norms: ${summaries.map(({ name, points }) => `${name} ${points.map((p) => `${p.median.toPrecision(2)} at depth ${p.depth}`).join(", ")}`).join("; ")}`}
              x={[-0.4, DEPTHS.length - 0.6]}
              y={[floor, 1.3]}
              logY
              aspect={0.5}
              xTicks={0}
              xLabel=" "
              yLabel="norm of the gradient"
              maxWidth={760}
              grid
            >
              {(scales) => (
                <>
                  {DEPTHS.map((depth, i) => (
                    <text
                      key={depth}
                      class="label"
                      x={scales.x(i)}
                      y={scales.height - 8}
                      text-anchor="middle"
                    >
                      {i === 0 ? `depth ${depth}` : depth}
                    </text>
                  ))}
                  {summaries.map(({ name, points }, k) => {
                    const shift = (i: number) => i + 0.07 * (k - (summaries.length - 1) / 2);
                    return (
                      <g key={name}>
                        <Curve
                          scales={scales}
                          points={points.map((p) => [shift(p.at), p.median])}
                          class={`series-${SERIES[name]}`}
                        />
                        {points.map((p) => (
                          <g key={p.depth}>
                            <Curve
                              scales={scales}
                              points={[
                                [shift(p.at), p.low],
                                [shift(p.at), p.high],
                              ]}
                              class={`series-${SERIES[name]} quartiles`}
                            />
                            {p.median > 0 && (
                              <circle
                                class={`fill-${SERIES[name]}`}
                                cx={scales.x(shift(p.at))}
                                cy={scales.y(p.median)}
                                r={4}
                              />
                            )}
                          </g>
                        ))}
                      </g>
                    );
                  })}
                </>
              )}
            </Plot>
          </Figure>
        </>
      }
      controls={
        <>
          <div class="panel controls">
            <fieldset class="field checks">
              <legend>Activations</legend>
              {activations.map(({ name }) => (
                <div key={name} class={`keyed series-${SERIES[name as Name]}`}>
                  <Check label={name} value={settings[name as Name]} />
                </div>
              ))}
            </fieldset>
            <Check label="Mirrored output too (dashed)" value={settings.mirror} />
            <Slider label="Look at x =" value={settings.x} format={(v) => fixed(v)} />
            <div class="scroll">
              <table class="values">
                <caption class="visually-hidden">Values at x = {fixed(at)}</caption>
                <thead>
                  <tr>
                    <th scope="col">at x = {fixed(at)}</th>
                    <th scope="col">f</th>
                    <th scope="col">f′</th>
                    <th scope="col">f″</th>
                    <th scope="col">slope</th>
                  </tr>
                </thead>
                <tbody>
                  {chosen.map((activation) => {
                    const [{ value, first, second }] = jets(activation, at);
                    return (
                      <tr key={activation.name}>
                        <th scope="row">{activation.name}</th>
                        {[value, first, second, slopeLength(activation, at)].map((n, i) => (
                          <td key={i}>{fixed(n)}</td>
                        ))}
                      </tr>
                    );
                  })}
                </tbody>
              </table>
            </div>
          </div>
          <div class="panel controls">
            <Choice label="Networks" value={settings.network} options={["multilayer", "dense"]} />
            <Choice label="Weights" value={settings.weights} options={["orthonormal", "normal"]} />
            <div class="buttons">
              <button
                type="button"
                onClick={() => {
                  batch(() => {
                    norms.value = new Map();
                  });
                  if (waiting) go(link.order);
                }}
              >
                Measure again
              </button>
            </div>
            <WorkerFailure link={link} />
          </div>
        </>
      }
    >
      <p>
        All of them are 1-Lipschitz. But where deep normalised networks work, around 0, the slope of CLipSwish
        is well below 1, and every layer multiplies this loss. CReLU keeps the whole slope, yet its second
        derivative is zero, and it is from the second derivative that a log-determinant learns. CPila has
        both:
      </p>
      <Formula
        block
        tex="\begin{aligned} \mathrm{Pila}(x) &= \begin{cases} x & x > 0\\ \left(\tfrac{k^2}{2}x^3 - k x^2 + x\right)e^{kx} & x \le 0\end{cases}\\[0.5em] \mathrm{CPila}(x) &= \tfrac{1}{1.06}\begin{bmatrix}\mathrm{Pila}(x - 0.2)\\ \mathrm{Pila}(-x - 0.2)\end{bmatrix}, \quad k = 5 . \end{aligned}"
      />
      <p>
        Its slope stays above 0.9 everywhere, and its second derivative is continuous and not zero. CReLU
        shows in the last figure what the weights alone lose; the distance below it is the activation's share.
      </p>
    </Idea>
  );
}

function setX(x: number): void {
  settings.x.value = Math.max(-END, Math.min(END, Math.round(20 * x) / 20));
}

function Outputs({
  scales,
  activation,
  order,
  mirror,
}: {
  scales: Parameters<typeof Curve>[0]["scales"];
  activation: Activation;
  order: "value" | "first" | "second";
  mirror: boolean;
}) {
  const outputs = X.map((x) => jets(activation, x));
  const line = (i: number) => X.map((x, j) => [x, outputs[j][i][order]] as const);
  const colour = `series-${SERIES[activation.name as Name]}`;
  return (
    <>
      {mirror && activation.outputs === 2 && (
        <Curve scales={scales} points={line(1)} class={`${colour} dashed`} />
      )}
      <Curve scales={scales} points={line(0)} class={colour} />
    </>
  );
}
