/** The counterexample: x + G(x) can be invertible although G is no contraction. */
import { fixedPointGuesses, linearResidual } from "../../../../src/experiments/theory/linear-residual.js";
import { addressSettings, number } from "../../../browser/settings.js";
import { Slider } from "../../../controls/fields.js";
import { Formula } from "../../../controls/formula.js";
import { Curve, graphOf } from "../../../plots/curve.js";
import { Figure } from "../../../plots/figure.js";
import { Plot } from "../../../plots/plot.js";
import { fixed, short } from "../format.js";
import { Idea } from "../idea.js";

const MOST = 6;
const END = 3;
/** Where the fixed point iteration is tried. */
const Y = 1;
const STEPS = 12;

const settings = addressSettings("ideas/counterexample", {
  factor: number(5, { min: -MOST, max: MOST, step: 0.1 }),
});

/** For which factors something holds: the open intervals of a. */
const PROPERTIES = [
  { name: "G is a contraction", from: [[-1, 1]], holds: (a: number) => Math.abs(a) < 1 },
  { name: "x + G(x) is strongly monotone", from: [[-1, MOST]], holds: (a: number) => a > -1 },
  {
    name: "x + G(x) is invertible",
    from: [
      [-MOST, -1],
      [-1, MOST],
    ],
    holds: (a: number) => a !== -1,
  },
] as const;

export default function Counterexample() {
  const a = settings.factor.value;
  const { g, f, inverse } = linearResidual(a);
  const distances = fixedPointGuesses(a, Y, STEPS).map((guess) => Math.abs(guess - inverse(Y)));
  const written = fixed(a, 1);
  return (
    <Idea
      title="The counterexample"
      lead={
        <>
          Residual flows ask that <Formula tex="G" /> is a contraction. That is more than an inverse needs:
          slide the factor of <Formula tex="G(x) = a\,x" /> out of the contractions, and{" "}
          <Formula tex="x + G(x)" /> still has an inverse.
        </>
      }
      figures={
        <>
          <Figure
            title="G, x + G(x) and its inverse"
            file="counterexample"
            caption="The inverse is the mirror image of x + G(x) at the dashed diagonal. At a = −1 the line is flat, and there is none."
          >
            <Plot
              label={`G of slope ${written}, x + G(x) of slope ${fixed(1 + a, 1)}, and ${a === -1 ? "no inverse" : `its inverse of slope ${short(1 / (1 + a))}`}`}
              x={[-END, END]}
              y={[-END, END]}
              xLabel="x"
              yLabel="value"
              maxWidth={500}
              grid
            >
              {(scales) => (
                <>
                  <Curve scales={scales} points={graphOf((x) => x, [-END, END], 2)} class="rule" />
                  <Curve scales={scales} points={graphOf(g, [-END, END], 2)} class="series-6" />
                  <Curve scales={scales} points={graphOf(f, [-END, END], 2)} class="series-2 bold" />
                  <Curve scales={scales} points={graphOf(inverse, [-END, END], 2)} class="series-1 bold" />
                </>
              )}
            </Plot>
            <ul class="legend">
              <li class="series-6">
                <span>G(x)</span>
              </li>
              <li class="series-2">
                <span>x + G(x)</span>
              </li>
              <li class="series-1">
                <span>its inverse</span>
              </li>
            </ul>
          </Figure>
          <Figure
            title="Which factors have which property"
            file="counterexample-factors"
            caption="Contractions are a small part of the factors with an inverse. Drag along the axis to set the factor."
          >
            <Plot
              label="Contraction for −1 < a < 1, strongly monotone for a > −1, invertible for all a but −1"
              x={[-MOST, MOST]}
              y={[0, 3]}
              aspect={0.32}
              xLabel="factor a"
              yTicks={0}
              maxWidth={620}
              onDrag={({ x }) => {
                settings.factor.value = Math.max(-MOST, Math.min(MOST, Math.round(10 * x) / 10));
              }}
            >
              {({ x, y, height }) => (
                <>
                  {PROPERTIES.map(({ name, from, holds }, i) => (
                    <g key={name}>
                      {from.map(([low, high]) => (
                        <rect
                          key={low}
                          class={`fill-${[3, 1, 2][i]} ${holds(a) ? "strip" : "region"}`}
                          x={x(low) + 1}
                          width={x(high) - x(low) - 2}
                          y={y(2.86 - i)}
                          height={y(0) - y(0.72)}
                        />
                      ))}
                      <text class="label" x={x(-MOST) + 8} y={y(2.5 - i)} dy="0.32em">
                        {name}
                      </text>
                    </g>
                  ))}
                  <line class="marker" x1={x(a)} x2={x(a)} y2={height} />
                </>
              )}
            </Plot>
          </Figure>
        </>
      }
      controls={
        <>
          <div class="panel controls">
            <Slider
              label="Factor a of G(x) = a x"
              value={settings.factor}
              format={(value) => fixed(value, 1)}
            />
            <ul class="verdicts" aria-live="polite">
              {PROPERTIES.map(({ name, holds }) => (
                <li key={name} class={holds(a) ? "yes" : "no"}>
                  {name}: <strong>{holds(a) ? "yes" : "no"}</strong>
                </li>
              ))}
            </ul>
            <dl class="readings">
              <div>
                <dt>Lip(G)</dt>
                <dd class="num">{fixed(Math.abs(a), 1)}</dd>
              </div>
              <div>
                <dt>slope of x + G(x)</dt>
                <dd class="num">{fixed(1 + a, 1)}</dd>
              </div>
              <div>
                <dt>of its inverse</dt>
                <dd class="num">{a === -1 ? "none" : short(1 / (1 + a))}</dd>
              </div>
            </dl>
          </div>
          <div class="panel">
            <Figure
              title="The iteration of residual flows"
              file="counterexample-iteration"
              caption={
                <>
                  Distance from the solution of <Formula tex="x + G(x) = 1" /> after steps of{" "}
                  <Formula tex="x \leftarrow 1 - G(x)" />: it shrinks only where G is a contraction.
                </>
              }
            >
              <Plot
                label={
                  a === -1
                    ? "There is no solution, and no distance from it"
                    : `The distance goes from ${short(distances[0])} to ${short(distances[STEPS])} in ${STEPS} steps`
                }
                x={[0, STEPS]}
                y={[1e-8, 1e10]}
                logY
                xTicks={4}
                xLabel="step"
                yLabel="distance"
                aspect={0.8}
              >
                {(scales) => (
                  <Curve
                    scales={scales}
                    points={distances.map((d, i) => [i, d > 0 ? d : Number.NaN])}
                    class="series-1"
                  />
                )}
              </Plot>
            </Figure>
          </div>
        </>
      }
    >
      <p>
        If <Formula tex="\mathrm{Lip}(G) < 1" />, Banach's fixed point theorem inverts{" "}
        <Formula tex="x + G(x)" />. The condition is sufficient, not necessary: with{" "}
        <Formula tex="G(x) = 5x" />, which expands by five, <Formula tex="x + G(x) = 6x" /> has the inverse{" "}
        <Formula tex="x/6" />. What is enough is that the map <Formula tex="F" /> is strongly monotone: for
        some <Formula tex="m > 0" />,
      </p>
      <Formula block tex="\langle F(x_1) - F(x_2),\; x_1 - x_2\rangle \;\ge\; m\,\|x_1 - x_2\|^2 ." />
      <p>
        Monotone Flows are built on this wider condition, so their blocks may expand and shrink space much
        more than residual blocks with the same bound on their network.
      </p>
    </Idea>
  );
}
