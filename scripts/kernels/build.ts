/** Builds the WebAssembly kernels into src/engine/wasm/binaries.ts. */
import { buildKernels } from "./compile.ts";

const bytes = await buildKernels({ optimised: true });
process.stderr.write(`kernels: ${bytes.join(" and ")} bytes\n`);
