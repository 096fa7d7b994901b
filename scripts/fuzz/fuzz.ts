/** One mutant: made of its seed and number alone, read, and judged by the rule of its target. */
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { FlowError } from "../../src/errors.js";
import { Draws, mutate } from "./mutate.js";
import { contents, filesOf, packed, put, targets, unpacked } from "./targets.js";

export interface Verdict {
  readonly mutant: number;
  readonly target: string;
  /** The file that was changed, and how. */
  readonly change: string;
  /** The last three are faults. */
  readonly outcome: "refused" | "same" | "warned" | "other numbers" | "CHANGED" | "TRACE" | "HANG" | "MEMORY";
  /** The error's message. */
  readonly message: string;
}

export const isFault = ({ outcome }: Verdict): boolean => outcome === outcome.toUpperCase();

interface Original {
  readonly files: ReadonlyMap<string, Uint8Array>;
  readonly mutable: readonly string[];
  readonly content: string;
}

export class Fuzzer {
  readonly #folder: string;
  readonly #seed: number;
  readonly #originals = new Map<string, Original>();

  /** Works in a folder of its own under `parent`. */
  constructor(parent: string, seed: number) {
    this.#folder = mkdtempSync(join(parent, "fuzz-"));
    this.#seed = seed;
  }

  async try(mutant: number): Promise<Verdict> {
    const target = targets[mutant % targets.length];
    const draws = new Draws(this.#seed, mutant);
    const place = join(this.#folder, "files");
    const scratch = join(this.#folder, "cache");
    const fresh = () => {
      rmSync(this.#folder, { recursive: true, force: true });
      mkdirSync(place, { recursive: true });
    };
    let original = this.#originals.get(target.name);
    if (!original) {
      fresh();
      await target.make(place);
      const { content } = await target.read(place, scratch);
      original = { files: contents(place), mutable: filesOf(place, target), content };
      this.#originals.set(target.name, original);
    }
    fresh();
    put(place, original.files);
    const name = draws.of(original.mutable);
    const before = original.files.get(name) as Uint8Array;
    const { bytes, how } = mutate(target.packed ? unpacked(before) : Uint8Array.from(before), draws);
    put(place, new Map([[name, target.packed ? packed(bytes) : bytes]]));
    const verdict = (outcome: Verdict["outcome"], message = ""): Verdict => ({
      mutant,
      target: target.name,
      change: `${name}: ${how}`,
      outcome,
      message,
    });
    try {
      const { content, warnings } = await target.read(place, scratch);
      if (content === original.content) return verdict("same");
      if (warnings.length > 0) return verdict("warned", warnings.join(" "));
      return verdict(target.rule === "open" ? "other numbers" : "CHANGED");
    } catch (error) {
      if (!(error instanceof FlowError) || error.code === "internal")
        return verdict("TRACE", error instanceof Error ? (error.stack ?? error.message) : String(error));
      // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not be there
      if (error.message.length > 2_500 || /[\u0000-\u001f\u007f-\u009f]/.test(error.message))
        return verdict("TRACE", `a message that no terminal should see: ${JSON.stringify(error.message)}`);
      return verdict("refused", error.message);
    }
  }

  end(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
