import { describe, expect, it } from "vitest";
import { Table } from "../table.js";
import { certify } from "./certificate.js";
import { monotoneFlow } from "./declaration.js";
import { Flow } from "./flow.js";
import { imageFlow } from "./image-flow.js";

const table = (rows: number, columns: number, value: (i: number) => number) =>
  new Table(
    rows,
    columns,
    Float64Array.from({ length: rows * columns }, (_, i) => value(i)),
  );

const vectors = async () => {
  const flow = await Flow.create(monotoneFlow({ dim: 2, blocks: 2, growth: 8 }));
  return { flow, x: table(20, 2, Math.sin), z: table(20, 2, Math.cos) };
};
const images = async () => {
  const image = { channels: 1, height: 4, width: 4, levels: 17, blocks: [1], growth: 4 };
  const flow = await Flow.create(imageFlow({ ...image, connected: { blocks: 1, stem: 4, growth: 4 } }));
  return { flow, x: table(4, 16, (i) => 8.5 + 8 * Math.sin(i)), z: table(4, 16, Math.cos) };
};

describe.each([
  ["vectors", vectors],
  ["images", images],
] as const)("a flow of %s", (_, made) => {
  it("is certified as it is", async () => {
    const { flow, x, z } = await made();
    expect((await certify(flow, x, z)).failures).toEqual([]);
  });

  it("is not with a bound of 1", async () => {
    const { flow, x, z } = await made();
    flow.blocks[1].block.lipschitzBound = () => 1;
    const { failures } = await certify(flow, x, z);
    expect(failures).toEqual([expect.stringMatching(/is not certified: .* is 1.000000, not below 1/)]);
  });

  it("is not where it does not come back, either way", async () => {
    for (const way of [1, 2]) {
      const { flow, x, z } = await made();
      const inverse = flow.inverse.bind(flow);
      let calls = 0;
      flow.inverse = async (...args) => {
        const result = await inverse(...args);
        if (++calls === way) result.x.values[3] += 0.01;
        return result;
      };
      const { failures } = await certify(flow, x, z);
      expect(failures).toEqual([expect.stringMatching(/round trip from [xz] to [xz] and back is off by/)]);
    }
  });

  // Constants, and what scatters as much as it is wrong.
  it.each([() => 1, () => Number.NaN, (i: number) => 1e13 * Math.sin(i * i)])(
    "is not with wrong log-determinants (%#)",
    async (error) => {
      const { flow, x, z } = await made();
      const forward = flow.forward.bind(flow);
      let calls = 0;
      flow.forward = async (rows, options) => {
        const result = await forward(rows, options);
        if (!options?.exact)
          result.logDet.forEach((value, i) => {
            result.logDet[i] = value + error(++calls);
          });
        return result;
      };
      const { failures } = await certify(flow, x, z);
      expect(failures).toEqual([expect.stringMatching(/log-determinant .*, not below/)]);
    },
  );
});
