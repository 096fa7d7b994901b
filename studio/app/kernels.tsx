/** What the kernels need of a browser, tried before anything else is: where it is missing, every page says so. */
import { Notice } from "../controls/notice.js";

/** The smallest module with an instruction on vectors: a function that makes one of zeros. */
const VECTORS = Uint8Array.of(
  ...[0, 97, 115, 109, 1, 0, 0, 0], // magic number, version
  ...[1, 5, 1, 96, 0, 1, 123], // one type: () -> v128
  ...[3, 2, 1, 0], // one function, of that type
  ...[10, 8, 1, 6, 0, 65, 0, 253, 15, 11], // i32.const 0, i8x16.splat, end
);

const canCompute = typeof WebAssembly === "object" && WebAssembly.validate(VECTORS);

export function KernelsMissing() {
  if (canCompute) return null;
  return (
    <Notice kind="warning">
      This browser has no WebAssembly SIMD, with which the models of these pages are computed: nothing can be
      trained or sampled here. Chrome, Edge and Firefox have it since 2021 and Safari since 2023, unless it is
      switched off; pages and formulas can be read without it.
    </Notice>
  );
}
