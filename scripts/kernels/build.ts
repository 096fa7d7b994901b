/** Builds the WebAssembly kernels, with and without relaxed SIMD, into src/engine/wasm/binaries.ts. */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import asc from "assemblyscript/asc";
import { activations } from "../../src/activations/index.ts";
import { pointwiseSource } from "./pointwise.ts";
import { tilesSource } from "./tiles.ts";

const generated = "kernels/generated";
const target = "src/engine/wasm/binaries.ts";

mkdirSync(generated, { recursive: true });
writeFileSync(`${generated}/tiles.ts`, tilesSource());
writeFileSync(`${generated}/pointwise.ts`, pointwiseSource(activations));

async function compile(relaxed: boolean): Promise<string> {
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
      "-O3",
      "--importMemory",
      "--initialMemory",
      "2",
      ...features,
    ],
    ...["--use", "abort="],
  ]);
  if (error) throw new Error(`asc: ${error.message}\n${stderr}`);
  return readFileSync(file).toString("base64");
}

const simd = await compile(false);
const relaxed = await compile(true);
writeFileSync(
  target,
  `// Written by scripts/kernels/build.ts. The compiled kernels, base64.\nexport const simdKernels =\n  "${simd}";\nexport const relaxedKernels =\n  "${relaxed}";\n`,
);
rmSync(`${generated}/simd.wasm`);
rmSync(`${generated}/relaxed.wasm`);
process.stderr.write(`kernels: ${simd.length * 0.75} and ${relaxed.length * 0.75} bytes\n`);
