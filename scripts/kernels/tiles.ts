/**
 * Prints the register tiles of the matrix kernels: the inner loops, unrolled so that every accumulator is a
 * register of its own. An x86 or ARM core needs about twelve independent accumulators to keep its
 * multiply-add units busy, and WebAssembly engines leave 15 vector registers: hence 6x2 and 2x6 tiles.
 */

const range = (n: number) => Array.from({ length: n }, (_, i) => i);
const product = (rows: number, columns: number) =>
  range(rows).flatMap((r) => range(columns).map((c) => [r, c] as const));

/** out[r][l] = start + sum over c of weight[r][c] input[c][l] for `rows` rows and `vectors` * 4 lanes. */
function linearTile(rows: number, vectors: number): string {
  const loadInput = (v: number) => `const x${v} = v128.load(input, ${v} * BYTES);`;
  const loadWeight = (r: number) => `const a${r} = v128.load32_splat(weight${r});`;
  const multiply = (r: number, v: number) => `s${r}_${v} = fma(a${r}, x${v}, s${r}_${v});`;
  // The shorter side is held in registers while the longer one streams past.
  const body =
    rows <= vectors
      ? [
          ...range(rows).map(loadWeight),
          ...range(vectors).flatMap((v) => [loadInput(v), ...range(rows).map((r) => multiply(r, v))]),
        ]
      : [
          ...range(vectors).map(loadInput),
          ...range(rows).flatMap((r) => [loadWeight(r), ...range(vectors).map((v) => multiply(r, v))]),
        ];
  return `
function linear${rows}x${vectors}(out: usize, outStride: usize, weight: usize, byRow: usize, byColumn: usize, input: usize, inputStride: usize, columns: i32, bias: usize, biasLanes: i32, accumulate: bool): void {
  ${range(rows)
    .map((r) => `const out${r} = out + ${r} * outStride; let weight${r} = weight + ${r} * byRow;`)
    .join("\n  ")}
  ${product(rows, vectors)
    .map(([r, v]) => `let s${r}_${v} = start(out${r}, ${v}, bias, ${r}, biasLanes, accumulate);`)
    .join("\n  ")}
  for (let c = 0; c < columns; c++) {
    ${body.join("\n    ")}
    input += inputStride;
    ${range(rows)
      .map((r) => `weight${r} += byColumn;`)
      .join(" ")}
  }
  ${product(rows, vectors)
    .map(([r, v]) => `v128.store(out${r}, s${r}_${v}, ${v} * BYTES);`)
    .join("\n  ")}
}`;
}

/** out[i][j] += sum over lanes of a[i][l] b[j][l] for `rows` rows of a and `columns` rows of b. */
function outerTile(rows: number, columns: number): string {
  return `
function outer${rows}x${columns}(out: usize, byA: usize, byB: usize, a: usize, aStride: usize, b: usize, bStride: usize, lanes: i32): void {
  ${range(rows)
    .map((i) => `const a${i} = a + ${i} * aStride;`)
    .join(" ")}
  ${range(columns)
    .map((j) => `const b${j} = b + ${j} * bStride;`)
    .join(" ")}
  ${product(rows, columns)
    .map(([i, j]) => `let s${i}_${j} = splat(0);`)
    .join(" ")}
  const end = <usize>lanes * 4;
  for (let l: usize = 0; l < end; l += BYTES) {
    ${range(rows)
      .map((i) => `const x${i} = v128.load(a${i} + l);`)
      .join(" ")}
    ${range(columns)
      .flatMap((j) => [
        `const y${j} = v128.load(b${j} + l);`,
        ...range(rows).map((i) => `s${i}_${j} = fma(x${i}, y${j}, s${i}_${j});`),
      ])
      .join("\n    ")}
  }
  ${product(rows, columns)
    .map(([i, j]) => `add(out + ${i} * byA + ${j} * byB, sum(s${i}_${j}));`)
    .join("\n  ")}
}`;
}

/** The source of `kernels/generated/tiles.ts`. */
export function tilesSource(): string {
  const linear = [...range(6).map((v) => [2, v + 1]), ...range(6).map((v) => [1, v + 1]), [6, 2], [6, 1]];
  const outer = [1, 2].flatMap((rows) => [6, 4, 2, 1].map((columns) => [rows, columns]));
  const upTo = (rows: number, args: string) =>
    range(6)
      .map((v) => `if (vectors == ${v + 1}) linear${rows}x${v + 1}(${args});`)
      .join("\n  else ");
  const args =
    "out, outStride, weight, byRow, byColumn, input, inputStride, columns, bias, biasLanes, accumulate";
  const signature =
    "(out: usize, outStride: usize, weight: usize, byRow: usize, byColumn: usize, input: usize, inputStride: usize, columns: i32, bias: usize, biasLanes: i32, accumulate: bool, vectors: i32): void";
  return `import { BYTES, fma, splat, sum } from "../simd";

/** The value that an accumulator begins with: what is there already, the bias (value lanes only), or zero. */
// @ts-ignore: decorator
@inline
function start(out: usize, vector: i32, bias: usize, row: i32, biasLanes: i32, accumulate: bool): v128 {
  if (accumulate) return v128.load(out + vector * BYTES);
  return vector * 4 < biasLanes ? v128.load32_splat(bias + row * 4) : splat(0);
}

// @ts-ignore: decorator
@inline
function add(address: usize, value: f32): void {
  store<f32>(address, load<f32>(address) + value);
}
${linear.map(([rows, vectors]) => linearTile(rows, vectors)).join("\n")}

/** Two rows by 1 to 6 vectors. */
export function linearPair${signature} {
  ${upTo(2, args)}
}

/** One row by 1 to 6 vectors. */
export function linearSingle${signature} {
  ${upTo(1, args)}
}

/** Six rows by 1 to 6 vectors, two at a time. */
export function linearSix${signature} {
  for (let v = 0; v < vectors; v += 2) {
    if (v + 2 <= vectors) linear6x2(${args});
    else linear6x1(${args});
    out += 2 * BYTES;
    input += 2 * BYTES;
    biasLanes -= 8;
  }
}
${outer.map(([rows, columns]) => outerTile(rows, columns)).join("\n")}

/** One or two rows of a against \`n\` rows of b. */
export function outerRows(rows: i32, n: i32, out: usize, byA: usize, byB: usize, a: usize, aStride: usize, b: usize, bStride: usize, lanes: i32): void {
  while (n > 0) {
    const width = n >= 6 ? 6 : n >= 4 ? 4 : n >= 2 ? 2 : 1;
    if (rows == 2) {
      ${[6, 4, 2, 1].map((w) => `if (width == ${w}) outer2x${w}(out, byA, byB, a, aStride, b, bStride, lanes);`).join("\n      else ")}
    } else {
      ${[6, 4, 2, 1].map((w) => `if (width == ${w}) outer1x${w}(out, byA, byB, a, aStride, b, bStride, lanes);`).join("\n      else ")}
    }
    n -= width;
    out += width * byB;
    b += width * bStride;
  }
}
`;
}
