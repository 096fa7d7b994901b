/**
 * Prints the register tiles of the matrix kernels: the inner loops, unrolled so that every accumulator is a
 * register of its own. An x86 or ARM core needs about twelve independent accumulators to keep its
 * multiply-add units busy, and WebAssembly engines leave 15 vector registers: hence 6x2 and 2x6 tiles.
 */

const range = (n: number) => Array.from({ length: n }, (_, i) => i);
const product = (rows: number, columns: number) =>
  range(rows).flatMap((r) => range(columns).map((c) => [r, c] as const));

/**
 * out[r][l] = start + sum over c of weight[r][c] input[c][l] for `rows` rows and `vectors` * 4 lanes. The weights
 * of a row stand next to each other (`linear`, a pointer for each row), or those of a column do (`transposed`, one
 * pointer). The loop is not unrolled: with two columns V8 runs out of registers.
 */
function linearTile(name: "linear" | "transposed", rows: number, vectors: number): string {
  const transposed = name === "transposed";
  const loadInput = (v: number) => `const x${v} = v128.load(input, ${v} * BYTES);`;
  const loadWeight = (r: number) =>
    `const a${r} = v128.load32_splat(${transposed ? `weight, ${4 * r}` : `weight${r}`});`;
  const multiply = (r: number, v: number) => `s${r}_${v} = fma(a${r}, x${v}, s${r}_${v});`;
  // The shorter side is held in registers while the longer one streams past. V8 orders the multiply-adds as the
  // stores of their sums at the end are ordered: these too go along the longer side, or registers run out.
  const wide = rows <= vectors;
  const tiles = wide ? product(vectors, rows).map(([v, r]) => [r, v] as const) : product(rows, vectors);
  const multiplyColumn = wide
    ? [
        ...range(rows).map(loadWeight),
        ...range(vectors).flatMap((v) => [loadInput(v), ...range(rows).map((r) => multiply(r, v))]),
      ]
    : [
        ...range(vectors).map(loadInput),
        ...range(rows).flatMap((r) => [loadWeight(r), ...range(vectors).map((v) => multiply(r, v))]),
      ];
  const advance = transposed ? ["weight += weightStride;"] : range(rows).map((r) => `weight${r} += 4;`);
  return `
function ${name}${rows}x${vectors}(out: usize, outStride: usize, weight: usize, weightStride: usize, input: usize, inputStride: usize, columns: i32, bias: usize, accumulate: bool): void {
  ${range(rows)
    .map((r) => `const out${r} = out + ${r} * outStride;`)
    .join(" ")}
  ${
    transposed
      ? ""
      : range(rows)
          .map((r) => `let weight${r} = weight + ${r} * weightStride;`)
          .join(" ")
  }
  ${tiles.map(([r, v]) => `let s${r}_${v}: v128;`).join(" ")}
  if (accumulate) {
    ${tiles.map(([r, v]) => `s${r}_${v} = v128.load(out${r}, ${v} * BYTES);`).join("\n    ")}
  } else {
    ${range(rows)
      .map((r) => `const b${r} = v128.load32_splat(bias, ${4 * r});`)
      .join(" ")}
    ${tiles.map(([r, v]) => `s${r}_${v} = b${r};`).join(" ")}
  }
  for (let c = 0; c < columns; c++) {
    ${multiplyColumn.join("\n    ")}
    input += inputStride;
    ${advance.join(" ")}
  }
  ${tiles.map(([r, v]) => `v128.store(out${r}, s${r}_${v}, ${v} * BYTES);`).join("\n  ")}
}`;
}

/**
 * The same as a `linear` tile for one or two columns, which are over before a tile has begun: here the weights stay
 * in registers, and all lanes stream past, four vectors a turn, so that the pointers take less of the time.
 */
function shallowTile(rows: number, columns: number): string {
  const sum = (r: number, v: number) =>
    range(columns).reduce((sum, c) => `fma(a${r}_${c}, x${c}_${v}, ${sum})`, `b${r}`);
  const turn = (vectors: number) => `
    ${product(vectors, columns)
      .map(([v, c]) => `const x${c}_${v} = v128.load(input${c}, ${v} * BYTES);`)
      .join(" ")}
    ${product(vectors, rows)
      .map(([v, r]) => `v128.store(out${r}, ${sum(r, v)}, ${v} * BYTES);`)
      .join("\n    ")}
    ${range(columns)
      .map((c) => `input${c} += ${vectors} * BYTES;`)
      .join(" ")}
    ${range(rows)
      .map((r) => `out${r} += ${vectors} * BYTES;`)
      .join(" ")}`;
  return `
function shallow${rows}x${columns}(out: usize, outStride: usize, weight: usize, weightStride: usize, input: usize, inputStride: usize, bias: usize, vectors: i32): void {
  ${product(rows, columns)
    .map(([r, c]) => `const a${r}_${c} = v128.load32_splat(weight + ${r} * weightStride, ${4 * c});`)
    .join(" ")}
  ${range(rows)
    .map((r) => `const b${r} = v128.load32_splat(bias, ${4 * r}); let out${r} = out + ${r} * outStride;`)
    .join(" ")}
  ${range(columns)
    .map((c) => `let input${c} = input + ${c} * inputStride;`)
    .join(" ")}
  for (; vectors >= 4; vectors -= 4) {${turn(4)}
  }
  for (; vectors > 0; vectors--) {${turn(1)}
  }
}`;
}

/**
 * out[i][j] += sum over lanes of a[i][l] b[j][l] for `rows` rows of a and `columns` rows of b. The lanes come in
 * `stretches`, `skip` bytes apart in both.
 */
function outerTile(rows: number, columns: number): string {
  const order = product(columns, rows).map(([j, i]) => [i, j] as const);
  return `
function outer${rows}x${columns}(out: usize, byA: usize, byB: usize, a: usize, aStride: usize, b: usize, bStride: usize, lanes: i32, stretches: i32, skip: usize): void {
  ${range(rows)
    .map((i) => `let a${i} = a + ${i} * aStride;`)
    .join(" ")}
  ${range(columns)
    .map((j) => `let b${j} = b + ${j} * bStride;`)
    .join(" ")}
  ${order.map(([i, j]) => `let s${i}_${j} = splat(0);`).join(" ")}
  for (let stretch = 0; stretch < stretches; stretch++) {
    const end = a0 + <usize>lanes * 4;
    while (a0 < end) {
      ${range(rows)
        .map((i) => `const x${i} = v128.load(a${i});`)
        .join(" ")}
      ${range(columns)
        .flatMap((j) => [
          `const y${j} = v128.load(b${j});`,
          ...range(rows).map((i) => `s${i}_${j} = fma(x${i}, y${j}, s${i}_${j});`),
        ])
        .join("\n      ")}
      ${range(rows)
        .map((i) => `a${i} += BYTES;`)
        .join(" ")}
      ${range(columns)
        .map((j) => `b${j} += BYTES;`)
        .join(" ")}
    }
    ${range(rows)
      .map((i) => `a${i} += skip;`)
      .join(" ")}
    ${range(columns)
      .map((j) => `b${j} += skip;`)
      .join(" ")}
  }
  ${[...order]
    .reverse()
    .map(([i, j]) => `add(out + ${i} * byA + ${j} * byB, sum(s${i}_${j}));`)
    .join("\n  ")}
}`;
}

/** The source of `kernels/generated/tiles.ts`. */
export function tilesSource(): string {
  const tiles = [...range(6).map((v) => [2, v + 1]), ...range(6).map((v) => [1, v + 1]), [6, 2], [6, 1]];
  const shallow = product(2, 2).map(([r, c]) => [r + 1, c + 1]);
  const outer = [1, 2].flatMap((rows) => [6, 4, 2, 1].map((columns) => [rows, columns]));
  const args = "out, outStride, weight, weightStride, input, inputStride, columns, bias, accumulate";
  const signature =
    "(out: usize, outStride: usize, weight: usize, weightStride: usize, input: usize, inputStride: usize, columns: i32, bias: usize, accumulate: bool, vectors: i32): void";
  const families = (["linear", "transposed"] as const).map((name) => {
    const upTo = (rows: number) =>
      range(6)
        .map((v) => `if (vectors == ${v + 1}) ${name}${rows}x${v + 1}(${args});`)
        .join("\n  else ");
    return `${tiles.map(([rows, vectors]) => linearTile(name, rows, vectors)).join("\n")}

/** Two rows by 1 to 6 vectors. */
export function ${name}Pair${signature} {
  ${upTo(2)}
}

/** One row by 1 to 6 vectors. */
export function ${name}Single${signature} {
  ${upTo(1)}
}

/** Six rows by 1 to 6 vectors, two at a time. */
export function ${name}Six${signature} {
  for (; vectors >= 2; vectors -= 2) {
    ${name}6x2(${args});
    out += 2 * BYTES;
    input += 2 * BYTES;
  }
  if (vectors > 0) ${name}6x1(${args});
}`;
  });
  return `import { add, BYTES, fma, splat, sum } from "../simd";
${families.join("\n")}
${shallow.map(([rows, columns]) => shallowTile(rows, columns)).join("\n")}

/** One or two rows with one or two columns. */
export function shallowRows(rows: i32, columns: i32, out: usize, outStride: usize, weight: usize, weightStride: usize, input: usize, inputStride: usize, bias: usize, vectors: i32): void {
  ${shallow.map(([r, c]) => `if (rows == ${r} && columns == ${c}) shallow${r}x${c}(out, outStride, weight, weightStride, input, inputStride, bias, vectors);`).join("\n  else ")}
}
${outer.map(([rows, columns]) => outerTile(rows, columns)).join("\n")}

/** One or two rows of a against \`n\` rows of b. */
export function outerRows(rows: i32, n: i32, out: usize, byA: usize, byB: usize, a: usize, aStride: usize, b: usize, bStride: usize, lanes: i32, stretches: i32, skip: usize): void {
  while (n > 0) {
    const width = n >= 6 ? 6 : n >= 4 ? 4 : n >= 2 ? 2 : 1;
    if (rows == 2) {
      ${[6, 4, 2, 1].map((w) => `if (width == ${w}) outer2x${w}(out, byA, byB, a, aStride, b, bStride, lanes, stretches, skip);`).join("\n      else ")}
    } else {
      ${[6, 4, 2, 1].map((w) => `if (width == ${w}) outer1x${w}(out, byA, byB, a, aStride, b, bStride, lanes, stretches, skip);`).join("\n      else ")}
    }
    n -= width;
    out += width * byB;
    b += width * bStride;
  }
}
`;
}
