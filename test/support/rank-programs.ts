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

/**
 * Compiles the programs, until the end of the tests of the file that calls this, and with them other modules, by name, that
 * their threads import.
 */
export async function rankPrograms(others: Readonly<Record<string, URL>> = {}) {
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
        input: {
          ...Object.fromEntries(Object.entries(modules).map(([name, module]) => [name, path(module)])),
          ...Object.fromEntries(
            Object.entries(others).map(([name, module]) => [name, fileURLToPath(module)]),
          ),
        },
        output: { entryFileNames: "[name].mjs", chunkFileNames: "[hash].mjs" },
      },
    },
  });

  /** The address of a compiled module. */
  const address = (name: string) => pathToFileURL(join(folder, `${name}.mjs`)).href;

  /** A worker drops the query of the address that it starts from, an import does not. */
  function program(name: keyof typeof modules, query = ""): RankProgram {
    const code = `import "${address(name)}${query}"`;
    return {
      node: () => new URL(`data:text/javascript,${encodeURIComponent(code)}`),
      web() {
        throw new Error("this program is for Node");
      },
    };
  }

  return {
    address,
    training: program("training"),
    mapping: program("mapping"),
    /** A rank, for training or for mapping, that dies. */
    dying: (death: Death, when: When) => program("dying", `?${new URLSearchParams({ death, when })}`),
  };
}
