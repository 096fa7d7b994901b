/**
 * Trains many runs, some at a time, each in a process of its own. What is finished is not trained again, what was
 * interrupted goes on from its checkpoint.
 */
import { type ChildProcess, fork } from "node:child_process";
import { existsSync } from "node:fs";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { isDeepStrictEqual } from "node:util";
import { type Advice, check, type ErrorCode, FlowError } from "../errors.js";
import { loadCheckpoint } from "../runs/checkpoint.js";
import { endingSignals } from "../runs/interruption.js";
import { Run, type RunConfig } from "../runs/run.js";

export interface PlannedRun {
  /** The run directory. */
  readonly path: string;
  readonly config: RunConfig;
}

/** What the process of a run says. */
export type RunMessage =
  | { kind: "step"; step: number; loss: number }
  | { kind: "failure"; code: ErrorCode; message: string; advice: readonly Advice[] };

const PROGRESS_EVERY_MS = 15_000;

/**
 * Trains the runs that are not finished, `atATime` at a time. A run that fails or is killed ends the others after a
 * checkpoint, and its error is thrown; so do SIGINT, SIGTERM and SIGHUP, with an `internal` error.
 * Throws a `run` error for a run directory that was started with another configuration.
 */
export async function trainRuns(
  planned: readonly PlannedRun[],
  atATime: number,
  progress: (line: string) => void,
): Promise<void> {
  const runs = planned.map(openOrCreate);
  const board = new Board(runs);
  const waiting = runs.filter((run) => !isFinished(run));
  if (waiting.length === 0) return;
  const children = new Set<ChildProcess>();
  let failure: FlowError | null = null;
  const stop = (error: FlowError) => {
    // Only once, and not SIGINT, which a terminal's Ctrl-C has sent to the children, too: a second signal kills them.
    if (failure) return;
    failure = error;
    for (const child of children) child.kill("SIGTERM");
  };
  const interrupt = () =>
    stop(new FlowError("internal", "stopped; the same command goes on from the checkpoints"));
  for (const signal of endingSignals) process.once(signal, interrupt);
  const timer = setInterval(() => progress(board.line()), PROGRESS_EVERY_MS);
  const work = async () => {
    for (let run = waiting.shift(); run && !failure; run = waiting.shift()) {
      const child = fork(fileURLToPath(new URL("./train-runs-child.js", import.meta.url)), [run.path]);
      children.add(child);
      const error = await endOf(child, run, board);
      children.delete(child);
      if (error) stop(error);
      else board.end(run);
    }
  };
  try {
    await Promise.all(Array.from({ length: Math.min(atATime, waiting.length) }, work));
  } finally {
    clearInterval(timer);
    for (const signal of endingSignals) process.off(signal, interrupt);
  }
  if (failure) throw failure;
  progress(board.line());
}

function openOrCreate({ path, config }: PlannedRun): Run {
  if (!existsSync(join(path, "config.json"))) return Run.create(path, config);
  const run = Run.open(path);
  check(
    isDeepStrictEqual(run.config, JSON.parse(JSON.stringify(config))),
    "run",
    `${path} was started with another configuration; choose another folder`,
    { option: "out" },
  );
  return run;
}

const isFinished = (run: Run) => run.summary()?.steps === run.config.training.steps;

/** Waits for the end of a run's process; returns what went wrong. */
function endOf(child: ChildProcess, run: Run, board: Board): Promise<FlowError | null> {
  return new Promise((resolve) => {
    let error: FlowError | null = null;
    const name = basename(run.path);
    child.on("message", (message: RunMessage) => {
      if (message.kind === "step") board.update(name, message.step, message.loss);
      else error = new FlowError(message.code, `${name}: ${message.message}`, { advice: message.advice });
    });
    child.on("error", (cause) => {
      resolve(new FlowError("internal", `cannot start the training of ${name}: ${cause.message}`, { cause }));
    });
    child.on("close", (code, signal) => {
      if (code !== 0 && error === null) {
        const how = signal ? `was killed by ${signal}` : `ended with code ${code}`;
        error = new FlowError(
          "internal",
          `the training of ${name} ${how}; the same command goes on from its last checkpoint`,
        );
      }
      resolve(error);
    });
  });
}

/** How far one run is. */
interface Progress {
  done: number;
  readonly wanted: number;
  /** The numbers that a step takes in: large images cost more than small ones. */
  readonly numbers: number;
  loss: number | null;
  ended: boolean;
}

/** How far the runs are. */
class Board {
  readonly #runs = new Map<string, Progress>();
  /** The numbers of the steps that were done before this process began. */
  readonly #before: number;
  readonly #began = performance.now();

  constructor(runs: readonly Run[]) {
    for (const run of runs) {
      const wanted = run.config.training.steps;
      const ended = isFinished(run);
      const done = ended ? wanted : (loadCheckpoint(run.file("checkpoint"), run)?.step ?? 0);
      const numbers = run.config.training.batch * run.config.flow.dim;
      this.#runs.set(basename(run.path), { done, wanted, numbers, loss: null, ended });
    }
    this.#before = this.#sum("done");
  }

  #sum(what: "done" | "wanted"): number {
    return [...this.#runs.values()].reduce((sum, run) => sum + run[what] * run.numbers, 0);
  }

  update(name: string, step: number, loss: number): void {
    const entry = this.#runs.get(name);
    if (entry) Object.assign(entry, { done: step, loss });
  }

  end(run: Run): void {
    const entry = this.#runs.get(basename(run.path));
    if (entry) entry.ended = true;
  }

  line(): string {
    const entries = [...this.#runs];
    const finished = entries.filter(([, { ended }]) => ended).length;
    const active = entries
      .filter(([, { loss, ended }]) => loss !== null && !ended)
      .map(([name, { done, wanted, loss }]) =>
        done < wanted
          ? `${name} ${done}/${wanted} at a loss of ${loss?.toPrecision(3)}`
          : `${name} is being tested`,
      );
    const [done, wanted] = [this.#sum("done"), this.#sum("wanted")];
    const minutes = (performance.now() - this.#began) / 60_000;
    const left =
      this.#before < done && done < wanted
        ? `about ${Math.ceil((minutes * (wanted - done)) / (done - this.#before))} minutes left`
        : "";
    return [`${finished} of ${entries.length} models trained`, ...active, left].filter(Boolean).join(", ");
  }
}
