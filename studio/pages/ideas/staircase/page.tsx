/** Fitting a staircase: the four variants of the 1-D experiment, trained side by side. */
import { batch, signal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { staircase } from "../../../../src/data/staircase.js";
import { variants } from "../../../../src/experiments/staircase/protocol.js";
import { addressSettings, number } from "../../../browser/settings.js";
import { NumberField, Slider } from "../../../controls/fields.js";
import { Formula } from "../../../controls/formula.js";
import { Notice } from "../../../controls/notice.js";
import { WorkerFailure } from "../../../controls/worker-failure.js";
import { missing } from "../../../models/missing.js";
import { useWorker } from "../../../models/use-worker.js";
import { Curve, graphOf } from "../../../plots/curve.js";
import { Figure } from "../../../plots/figure.js";
import { Plot } from "../../../plots/plot.js";
import { short } from "../format.js";
import { Idea } from "../idea.js";
import { POINTS, type StaircaseNews, type StaircaseOrder, xOf } from "./messages.js";

const settings = addressSettings("ideas/staircase", {
  growth: number(64, { min: 8, max: 128, step: 8 }),
  batch: number(250, { min: 50, max: 5000, step: 1 }),
  steps: number(8000, { min: 200, max: 15000, step: 1 }),
  seed: number(0, { min: 0, max: 9999, step: 1 }),
});
const running = signal(false);
const news = signal<StaircaseNews | null>(null);
/** Running means of the losses, a point every few steps. */
const losses = signal<readonly (readonly [number, number])[][]>(variants.map(() => []));
/** Steps of each variant whose loss is not known, as a solve missed its tolerance. */
const unknown = signal<readonly number[]>(variants.map(() => 0));
/** Weight of a new loss in the running mean. */
const SHARE = 0.05;
const SERIES = [1, 4, 3, 2] as const;
const STAIRS = graphOf(staircase, [-2, 2], 1201);

const make = (): StaircaseOrder => ({
  kind: "make",
  growth: 2 * Math.round(settings.growth.value / 2),
  batch: settings.batch.value,
  steps: settings.steps.value,
  seed: settings.seed.value,
});
/** The worker owes no answer. */
let waiting = false;

export default function Staircase() {
  const link = useWorker<StaircaseOrder, StaircaseNews>(
    () => new Worker(new URL("./worker.ts", import.meta.url), { type: "module" }),
    (fits, self) => {
      batch(() => {
        note(fits);
        if (fits.done) running.value = false;
      });
      waiting = true;
      requestAnimationFrame(() => next(self.order));
    },
    (self) => {
      forget();
      waiting = false;
      self.order(make());
    },
  );
  const next = (order: (order: StaircaseOrder) => void) => {
    if (!waiting || !running.peek() || news.peek()?.done) return;
    waiting = false;
    order({ kind: "go" });
  };
  const text = JSON.stringify(make());
  useEffect(() => {
    // Other settings: from the start, with a fresh worker.
    if (text !== made) link.restart();
  }, [text]);
  useEffect(
    () => () => {
      running.value = false;
    },
    [],
  );

  const now = news.value;
  const step = now?.step ?? 0;
  const gone = missing(
    variants.map(({ title }, k) => ({
      failed: now?.fits[k].failed ?? 0,
      of: POINTS,
      what: `points of "${title}"`,
    })),
  );
  const steps = unknown.value.flatMap((count, k) =>
    count > 0 ? [`${count} of ${step} steps of "${variants[k].title}"`] : [],
  );
  const least = Math.min(1e-2, ...losses.value.flatMap((line) => line.map(([, loss]) => loss)));
  return (
    <Idea
      title="Fitting a staircase"
      lead={
        <>
          A staircase with slopes 1/20 and 20 is monotone, but far steeper and flatter than a residual block
          can be. Press train: four flows of two blocks learn it side by side, the same networks in each.
        </>
      }
      figures={
        <>
          <div class="figures two-wide">
            {variants.map(({ name, title }, k) => {
              const fit = now?.fits[k];
              const loss = losses.value[k].at(-1)?.[1];
              return (
                <Figure
                  key={name}
                  title={title}
                  file={`staircase-${name}`}
                  caption={
                    <>
                      Mean squared error:{" "}
                      <span class="num" data-testid={`error-${name}`}>
                        {loss === undefined ? "–" : short(loss)}
                      </span>
                    </>
                  }
                >
                  <Plot
                    label={`${title}: ${loss === undefined ? "untrained" : `mean squared error ${short(loss)} after ${step} steps`}`}
                    x={[-2, 2]}
                    y={[-0.6, 4.6]}
                    aspect={0.66}
                    xLabel="x"
                    yLabel="F(x)"
                  >
                    {(scales) => (
                      <>
                        <Curve scales={scales} points={STAIRS} class="stairs" />
                        {fit && (
                          <Curve
                            scales={scales}
                            points={Array.from({ length: POINTS }, (_, i) => [xOf(i), fit.value[i]])}
                            class={`series-${SERIES[k]} bold`}
                          />
                        )}
                      </>
                    )}
                  </Plot>
                </Figure>
              );
            })}
          </div>
          <Figure
            title="Mean squared error"
            file="staircase-losses"
            caption="Running means over about 20 steps."
          >
            <Plot
              label={`Errors over ${step} steps: ${variants.map(({ title }, k) => `${title} ${losses.value[k].length > 0 ? short(losses.value[k].at(-1)?.[1] ?? Number.NaN) : "not known"}`).join(", ")}`}
              x={[0, settings.steps.value]}
              y={[10 ** Math.floor(Math.log10(Math.max(least, 1e-9))), 3]}
              logY
              aspect={0.36}
              minHeight={200}
              xLabel="step"
              yLabel="mean squared error"
              grid
            >
              {(scales) =>
                variants.map(({ name }, k) => (
                  <Curve key={name} scales={scales} points={losses.value[k]} class={`series-${SERIES[k]}`} />
                ))
              }
            </Plot>
            <ul class="legend">
              {variants.map(({ name, title }, k) => (
                <li key={name} class={`series-${SERIES[k]}`}>
                  <span>{title}</span>
                </li>
              ))}
            </ul>
          </Figure>
        </>
      }
      controls={
        <div class="panel controls">
          <div class="buttons">
            <button
              type="button"
              class="primary"
              disabled={now === null || now.done || link.failure.value !== null}
              onClick={() => {
                running.value = !running.peek();
                next(link.order);
              }}
            >
              {running.value ? "Pause" : step === 0 ? "Train" : "Go on"}
            </button>
            <button
              type="button"
              onClick={() => {
                running.value = false;
                link.restart();
              }}
            >
              Reset
            </button>
          </div>
          <div class="toolbar">
            <progress max={settings.steps.value} value={step} aria-label="Steps done" />
          </div>
          <dl class="readings">
            <div>
              <dt>step</dt>
              <dd class="num" data-testid="staircase-step">
                {step}
              </dd>
            </div>
            <div>
              <dt>of</dt>
              <dd class="num">{settings.steps.value}</dd>
            </div>
          </dl>
          <Slider label="Growth of the networks" value={settings.growth} />
          <NumberField label="Samples a step" value={settings.batch} />
          <NumberField label="Steps" value={settings.steps} />
          <NumberField label="Seed" value={settings.seed} />
          <p class="note">
            As in the quick reproduction, smaller than the experiment, which has growth 128, 5000 samples a
            step and 15,000 steps: set these, and wait longer. Other settings begin anew. A hidden page rests.
          </p>
          {gone && <Notice kind="warning">{gone}</Notice>}
          {steps.length > 0 && (
            <Notice kind="warning">
              {`The errors of ${steps.join(" and ")} are not known, and left out of the means: a solver missed its tolerance.`}
            </Notice>
          )}
          <WorkerFailure link={link} />
        </div>
      }
    >
      <p>
        All four have two networks of the same make, four dense layers with CReLU and{" "}
        <Formula tex="\mathrm{Lip}(G) < 1" />, and minimise the mean squared error. Two residual blocks (a)
        are never steeper than <Formula tex="(1+L)^2 < 4" />. Actnorms (b) scale the whole function, and an
        implicit pair (c) can be flat or steep, but the product of what it adds to both is limited:
      </p>
      <Formula
        block
        tex="\begin{aligned} \frac{\text{steepest}}{\text{flattest}} &\le \Big(\frac{1+L}{1-L}\Big)^{2}\ \text{for (a), (b), (c)} ,\\[0.4em] &\le \Big(\frac{1+L}{1-L}\Big)^{4}\ \text{for (d)} . \end{aligned}"
      />
      <p>
        The staircase needs a ratio of 400 at every edge, so within a short distance. In the slides'
        experiment only the two monotone blocks (d) follow it.
      </p>
    </Idea>
  );
}

/** The settings of the networks that are trained. */
let made = "";
function forget(): void {
  made = JSON.stringify(make());
  news.value = null;
  unknown.value = variants.map(() => 0);
  losses.value = variants.map(() => []);
}

function note(fits: StaircaseNews): void {
  const first = fits.step - fits.fits[0].losses.length;
  losses.value = losses.peek().map((line, k) => {
    const longer = [...line];
    let mean = line.at(-1)?.[1];
    fits.fits[k].losses.forEach((loss, i) => {
      if (!Number.isFinite(loss)) return;
      mean = mean === undefined ? loss : mean + SHARE * (loss - mean);
      if ((first + i) % 5 === 4) longer.push([first + i + 1, mean]);
    });
    return longer;
  });
  unknown.value = unknown
    .peek()
    .map((count, k) => count + fits.fits[k].losses.filter((loss) => !Number.isFinite(loss)).length);
  news.value = fits;
}
