/** The WebAssembly kernels, with and without relaxed SIMD, from their sources into src/engine/wasm/binaries.ts. */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import asc from "assemblyscript/asc";
import { activations } from "../../src/activations/index.ts";
import { pointwiseSource } from "./pointwise.ts";
import { tilesSource } from "./tiles.ts";

const generated = "kernels/generated";
const target = "src/engine/wasm/binaries.ts";

async function compile(relaxed: boolean, optimised: boolean): Promise<string> {
  const file = `${generated}/${relaxed ? "relaxed" : "simd"}.wasm`;
  const features = relaxed ? ["--enable", "simd,relaxed-simd"] : ["--enable", "simd"];
  const { error, stderr } = await asc.main([
    "kernels/index.ts",
    ...[
      "--outFile",
      file,
      "--runtime",
      "stub",
      "--noAssert",
      optimised ? "-O3" : "-O0",
      "--importMemory",
      "--initialMemory",
      "2",
      ...features,
    ],
    ...["--use", "abort="],
  ]);
  if (error) throw new Error(`asc: ${error.message}\n${stderr}`);
  const binary = readFileSync(file).toString("base64");
  rmSync(file);
  return binary;
}

/** Returns the bytes of the plain build and of the relaxed one. Not optimised they take a second, and compute the same. */
export async function buildKernels({ optimised }: { optimised: boolean }): Promise<[number, number]> {
  mkdirSync(generated, { recursive: true });
  writeFileSync(`${generated}/tiles.ts`, tilesSource());
  writeFileSync(`${generated}/pointwise.ts`, pointwiseSource(activations));
  const simd = await compile(false, optimised);
  const relaxed = await compile(true, optimised);
  writeFileSync(
    target,
    `// Written by scripts/kernels/build.ts. The compiled kernels, base64.\nexport const simdKernels =\n  "${simd}";\nexport const relaxedKernels =\n  "${relaxed}";\n`,
  );
  return [simd.length * 0.75, relaxed.length * 0.75];
}
