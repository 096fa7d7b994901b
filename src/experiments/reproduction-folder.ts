/**
 * The folder of a reproduction: `settings.json` (what its results depend on, written first), `time.json` (seconds
 * spent so far), the finished parts, and at the end the report.
 */
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { type Advice, check, FlowError } from "../errors.js";
import { readFile, writeFileAtomically } from "../files.js";
import { firstDifference } from "../flows/difference.js";
import { notFinite, parseJson } from "../flows/json.js";

const SETTINGS = "settings.json";
const TIME = "time.json";
const ANOTHER: Advice = { option: "out" };

/** What `settings.json` holds. */
export interface FolderSettings {
  readonly reproduction: string;
  readonly version: string;
  readonly settings: unknown;
}

export class ReproductionFolder {
  readonly path: string;
  readonly #before: number;
  readonly #began = performance.now();

  private constructor(path: string) {
    this.path = path;
    this.#before = secondsIn(join(path, TIME));
  }

  /**
   * Opens a folder that has these settings, or starts one that does not exist or is empty. Throws a `run` error
   * for a folder that holds something else or was made with other settings, and changes nothing there.
   */
  static open(path: string, wanted: FolderSettings): ReproductionFolder {
    const file = join(path, SETTINGS);
    if (existsSync(file)) {
      checkSettings(path, parseJson(readFile(file, "run"), file), wanted);
      return new ReproductionFolder(path);
    }
    if (existsSync(path)) {
      check(statSync(path).isDirectory(), "run", `${path} is a file; choose another folder`, ANOTHER);
      const [other] = readdirSync(path).filter((name) => !/^settings\.json\.\d+\.partial$/.test(name));
      check(
        other === undefined,
        "run",
        `${path} holds something else (${other}), not a reproduction; choose another folder`,
        ANOTHER,
      );
    }
    writeFileAtomically(file, `${JSON.stringify(wanted, null, 2)}\n`);
    return new ReproductionFolder(path);
  }

  /** Seconds spent on the reproduction, those before an interruption included. */
  get seconds(): number {
    return this.#before + (performance.now() - this.#began) / 1000;
  }

  /** Notes the seconds spent, for a reproduction that is interrupted. */
  saveTime(): void {
    writeFileAtomically(join(this.path, TIME), `${JSON.stringify({ seconds: this.seconds })}\n`);
  }
}

function checkSettings(path: string, found: unknown, wanted: FolderSettings): void {
  const { reproduction, version } = (found ?? {}) as Partial<FolderSettings>;
  check(
    typeof reproduction === "string" && typeof version === "string",
    "run",
    `${path} holds something else: its ${SETTINGS} is not that of a reproduction; choose another folder`,
    ANOTHER,
  );
  // As the file holds them: undefined and other things that JSON does not know are gone.
  const difference = firstDifference(found, JSON.parse(JSON.stringify(wanted)));
  if (difference === null) return;
  // "settings" is where the settings are, which the sentence says already.
  const place = difference.place.replace(/^settings\./, "");
  const { a: there, b: here } = difference;
  throw new FlowError(
    "run",
    `${path} was made with other settings (${place} ${there} there, ${here} here); choose another folder`,
    { advice: [ANOTHER] },
  );
}

/** Seconds from a file that may be missing: the time taken is no reason to fail. */
function secondsIn(file: string): number {
  try {
    const { seconds } = JSON.parse(readFileSync(file, "utf8")) as { seconds?: unknown };
    return typeof seconds === "number" && Number.isFinite(seconds) ? seconds : 0;
  } catch {
    return 0;
  }
}

/**
 * The value of a finished part: read from `NAME.json` in the folder, or computed and written there. Throws a `numerical` error
 * for one with a number that is not finite: JSON would make it null, which is less than every limit.
 */
export async function finishedPart<T>(folder: string, name: string, compute: () => Promise<T>): Promise<T> {
  const file = join(folder, `${name}.json`);
  if (existsSync(file)) return parseJson(readFile(file, "run"), file) as T;
  const value = await compute();
  const wrong = notFinite(value);
  check(wrong === null, "numerical", `the part ${name} of the reproduction has no number for ${wrong}`);
  writeFileAtomically(file, JSON.stringify(value));
  return value;
}
