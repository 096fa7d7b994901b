/** Programs of ranks for tests. Worker threads read no TypeScript, so they are compiled first. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { build } from "vite";
import { afterAll } from "vitest";
import type { RankProgram } from "../../src/ranks/worker.js";

const modules = {
  training: "../../src/training/training-program.ts",
  mapping: "../../src/ranks/map-program.ts",
  dying: "./dying-rank.ts",
};

const path = (module: string) => fileURLToPath(new URL(module, import.meta.url));

/** How a rank dies. */
export type Death = "throws" | "exits" | "fails later";
/** Before it has done anything, or when it has taken part for a while. */
export type When = "at the start" | "midway";

/** Compiles the programs, until the end of the tests of the file that calls this. */
export async function rankPrograms() {
  const folder = mkdtempSync(join(tmpdir(), "monotone-flows-ranks-"));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  await build({
    configFile: false,
    logLevel: "silent",
    ssr: { noExternal: true },
    build: {
      ssr: true,
      outDir: folder,
      rollupOptions: {
        input: Object.fromEntries(Object.entries(modules).map(([name, module]) => [name, path(module)])),
        output: { entryFileNames: "[name].mjs", chunkFileNames: "[hash].mjs" },
      },
    },
  });

  /** A worker drops the query of the address that it starts from, an import does not. */
  function program(name: keyof typeof modules, query = ""): RankProgram {
    const code = `import "${pathToFileURL(join(folder, `${name}.mjs`))}${query}"`;
    return {
      node: () => new URL(`data:text/javascript,${encodeURIComponent(code)}`),
      web() {
        throw new Error("this program is for Node");
      },
    };
  }

  return {
    training: program("training"),
    mapping: program("mapping"),
    /** A rank, for training or for mapping, that dies. */
    dying: (death: Death, when: When) => program("dying", `?${new URLSearchParams({ death, when })}`),
  };
}
