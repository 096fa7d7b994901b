/** A compiler of the kernels that stays: warm, and without optimisation, it takes a second and not twenty. */
import { buildKernels } from "../kernels/compile.ts";

process.on("message", () => {
  buildKernels({ optimised: false }).then(
    () => process.send?.(true),
    () => process.send?.(false),
  );
});
process.send?.("ready");
