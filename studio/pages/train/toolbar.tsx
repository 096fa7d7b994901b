/** The buttons of training, and how it goes. */
import { useSignal, useSignalEffect } from "@preact/signals";
import { cancelFrame, nextFrame } from "../../browser/frames.js";
import { useSlow } from "../../browser/slow.js";
import { Notice } from "../../controls/notice.js";
import {
  failed,
  finished,
  type Model,
  pause,
  refusal,
  reset,
  revive,
  running,
  session,
  stepOnce,
  stepsDone,
  threadsEach,
  train,
} from "./session.js";
import { settings } from "./settings.js";
import { stale } from "./stale.js";

export function Toolbar() {
  const going = running.value;
  const started = session.value !== null;
  const label = going ? "Pause" : !started ? "Train" : finished.value ? "Train 1,000 more" : "Go on";
  return (
    <section class="toolbar" aria-label="Training">
      <div class="buttons">
        <button type="button" class="primary" onClick={going ? pause : train} disabled={failed.value}>
          {label}
        </button>
        <button type="button" onClick={stepOnce} disabled={going || failed.value || finished.value}>
          Step
        </button>
        <button type="button" onClick={reset} disabled={!started}>
          Reset
        </button>
      </div>
      <Progress />
      <Figures />
      <p class="visually-hidden" role="status">
        {going ? "Training" : finished.value ? "Training has reached its last step" : started ? "Paused" : ""}
      </p>
      {refusal.value && <Notice kind="error">{refusal.value}</Notice>}
      {stale.value && (
        <Notice
          kind="info"
          action={{
            label: "Start again with these",
            run() {
              const again = running.value;
              reset();
              if (again) train();
            },
          }}
        >
          The settings have changed since this training began.
        </Notice>
      )}
      <Failures />
      <Remark />
    </section>
  );
}

/** Lengths of the bar that it shows: to lay it out anew costs a hundredth of all training's time at 8 times a second. */
const BAR_STEPS = 200;

function Progress() {
  const most = settings.steps.value;
  const shown = useSlow(() => Math.floor((BAR_STEPS * stepsDone.value) / most));
  return <progress max={BAR_STEPS} value={shown.value} aria-label={`Steps done of ${most}`} />;
}

function Failures() {
  return (
    <>
      {session.value?.models.map(({ variant, training }) => {
        const failure = training.failure.value;
        const pictures = training.pictures.failure.value;
        if (failure === null && pictures === null) return null;
        const from = training.lastState?.step ?? 0;
        const where = session.value?.models.length === 2 ? `${variant.title}: ` : "";
        const advice = failure?.numerical ? " A smaller learning rate may help." : "";
        return (
          <Notice
            key={variant.title}
            kind="error"
            action={{ label: from > 0 ? `Go on from step ${from}` : "Start again", run: revive }}
          >
            {where}
            {failure ? failure.message : `The pictures stand still: ${pictures}.`}
            {advice}
          </Notice>
        );
      })}
    </>
  );
}

/** Why fewer threads train than were asked for. */
function Remark() {
  const remark = session.value?.models[0].training.ranks.value?.remark;
  return remark ? <Notice kind="warning">{remark}</Notice> : null;
}

const text = (value: number, digits: number) => (Number.isFinite(value) ? value.toFixed(digits) : "–");

function Figures() {
  const frames = useSignal(Number.NaN);
  useSignalEffect(() => {
    if (!running.value) {
      frames.value = Number.NaN;
      return;
    }
    let count = 0;
    let began = performance.now();
    const next = (now: number) => {
      count++;
      if (now - began >= 1000) {
        frames.value = (1000 * count) / (now - began);
        count = 0;
        began = now;
      }
      nextFrame(next);
    };
    nextFrame(next);
    return () => cancelFrame(next);
  });
  const models = session.value?.models ?? [];
  const step = useSlow(() => stepsDone.value.toLocaleString("en"));
  const threads = models[0]?.training.ranks.value?.threads ?? threadsEach();
  const pair = models.length > 1;
  const model = ({ variant, training }: Model) => (
    <Readings key={variant.title} title={pair ? variant.title : ""} training={training} />
  );
  return (
    <div class="readings-rows num">
      <dl class="readings">
        <div>
          <dt>step</dt>
          <dd data-testid="step">{step}</dd>
        </div>
        {!pair && models.map(model)}
        <div>
          <dt>threads</dt>
          <dd>
            {threads}
            {pair ? " each" : ""}
          </dd>
        </div>
        <div>
          <dt>frames/s</dt>
          <dd data-testid="frames">{text(frames.value, 0)}</dd>
        </div>
      </dl>
      {pair &&
        models.map((each) => (
          <dl key={each.variant.title} class="readings">
            {model(each)}
          </dl>
        ))}
    </div>
  );
}

function Readings({ title, training }: { title: string; training: Model["training"] }) {
  const prefix = title ? `${title} ` : "";
  const loss = useSlow(() => text(training.loss.value, 3));
  const gap = useSlow(() => {
    const floor = session.value?.data.entropy ?? null;
    return floor === null ? "–" : text(training.loss.value - floor, 3);
  });
  const speed = useSlow(() => text(training.stepsPerSecond.value, 0));
  return (
    <>
      <div class={title ? `series-${title === "Residual" ? 2 : 1}` : ""}>
        <dt>{prefix}loss</dt>
        <dd>
          <span data-testid={`${prefix}loss`}>{loss}</span> nats
        </dd>
      </div>
      <div>
        <dt>above the floor</dt>
        <dd>{gap}</dd>
      </div>
      <div>
        <dt>steps/s</dt>
        <dd data-testid={`${prefix}speed`}>{speed}</dd>
      </div>
    </>
  );
}
