/** Progress of training on stderr: a bar on a terminal, a line now and then elsewhere. */
import { Presets, SingleBar } from "cli-progress";

const LINE_EVERY_MS = 5_000;
/** The weight of the newest loss in the mean that is shown. */
const SMOOTHING = 0.05;

export interface Progress {
  update(step: number, loss: number): void;
  end(): void;
  /** Ends the bar, and writes a line below it. */
  endWith(line: string): void;
}

/** `images`: how many each step takes, where the speed is shown in images. */
export function progress(
  first: number,
  steps: number,
  unit = "nats",
  images: number | null = null,
): Progress {
  const began = performance.now();
  let smoothed = 0;
  let count = 0;
  const speed = (step: number) => (1000 * (step - first)) / (performance.now() - began);
  const speedInWords = (step: number) => {
    const per = speed(step) * (images ?? 1);
    return `${per.toFixed(per < 10 ? 1 : 0)} ${images ? "images" : "steps"}/s`;
  };
  const left = (step: number) => duration((steps - step) / Math.max(speed(step), 1e-9));
  const smooth = (loss: number) => {
    smoothed += (loss - smoothed) * Math.max(1 / ++count, SMOOTHING);
    return smoothed.toFixed(3);
  };
  if (process.stderr.isTTY) {
    const format = `{bar} {percentage}% | step {value}/{total} | loss {loss} ${unit} | {speed} | {left} left`;
    const bar = new SingleBar(
      { format, stream: process.stderr, hideCursor: true, barsize: 24 },
      Presets.shades_classic,
    );
    let ended = false;
    const end = () => {
      if (bar.isActive) bar.stop();
      ended = true;
    };
    return {
      update(step, loss) {
        if (ended) return;
        const payload = { loss: smooth(loss), speed: speedInWords(step), left: left(step) };
        if (bar.isActive) bar.update(step, payload);
        // Not before: a signal would end the process and leave a terminal without its cursor.
        else bar.start(steps, step, payload);
      },
      end,
      endWith(line) {
        end();
        process.stderr.write(`${line}\n`);
      },
    };
  }
  let last = began;
  return {
    update(step, loss) {
      const text = smooth(loss);
      if (performance.now() - last < LINE_EVERY_MS && step < steps) return;
      last = performance.now();
      process.stderr.write(
        `step ${step}/${steps}  loss ${text} ${unit}  ${speedInWords(step)}  ${left(step)} left\n`,
      );
    },
    end: () => {},
    endWith: (line) => process.stderr.write(`${line}\n`),
  };
}

/** Seconds as people say them: 42s, 3m05s, 2h10m. */
export function duration(seconds: number): string {
  const s = Math.round(seconds);
  if (s < 60) return `${s}s`;
  if (s < 3600) return `${Math.floor(s / 60)}m${String(s % 60).padStart(2, "0")}s`;
  return `${Math.floor(s / 3600)}h${String(Math.floor((s % 3600) / 60)).padStart(2, "0")}m`;
}
