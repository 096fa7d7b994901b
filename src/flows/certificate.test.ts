import { describe, expect, it } from "vitest";
import { byEstimates, randomise } from "../../test/support/networks.js";
import { testRandom } from "../../test/support/rows.js";
import { Actnorm } from "../bijections/actnorm.js";
import { matrix } from "../engine/engine.js";
import { ReferenceEngine } from "../engine/reference/engine.js";
import { Table } from "../table.js";
import { type Certificate, certify, LARGEST_JACOBIAN } from "./certificate.js";
import { Flow } from "./flow.js";
import { imageFlow } from "./image-flow.js";
import { monotoneFlow } from "./monotone-flow.js";

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

  // Constants, one that is not a number before others that are right, and what scatters as much as it is wrong.
  it.each([
    () => 1,
    () => Number.NaN,
    (i: number) => (i === 1 ? Number.NaN : 0),
    (i: number) => 1e13 * Math.sin(i * i),
  ])("is not with wrong log-determinants (%#)", async (error) => {
    const { flow, x, z } = await made();
    const forward = flow.forward.bind(flow);
    let calls = 0;
    flow.forward = async (rows, options) => {
      const result = await forward(rows, options);
      if (!options?.exact && options?.logDet !== false)
        result.logDet.forEach((value, i) => {
          result.logDet[i] = value + error(++calls);
        });
      return result;
    };
    const { failures } = await certify(flow, x, z);
    expect(failures).toEqual([expect.stringMatching(/log-determinant .*, not below/)]);
  });
});

/** Another seed's weights, larger than a start's, and actnorms that are not the identity. */
function weigh(flow: Flow): void {
  const random = testRandom(61);
  randomise(flow.parameters, random, 1.5);
  for (const b of flow.chain.bijections) {
    if (b instanceof Actnorm) b.logScale.values.set(b.logScale.values.map(() => 0.3 * random.normal()));
  }
}

/** Has a bijection of a flow do something else than it is declared to. */
function change(
  { chain: { bijections } }: Flow,
  index: number,
  forward: (
    own: Flow["chain"]["bijections"][number]["forward"],
  ) => Flow["chain"]["bijections"][number]["forward"],
): void {
  const bijection = bijections[index];
  bijection.forward = forward(bijection.forward.bind(bijection));
}

describe("certificates of images", () => {
  const failures = async (flow: Flow, x: Table, z: Table) => (await certify(flow, x, z)).failures;
  const isActnorm = ({ kind }: { kind: string }) => kind === "actnorm";
  const isMonotone = ({ kind }: { kind: string }) => kind === "monotone";
  const weighed = async () => {
    const made = await images();
    weigh(made.flow);
    await made.flow.convergeNorms();
    return made;
  };

  it("find random weights in order", async () => {
    const { flow, x, z } = await weighed();
    const certificate: Certificate = await certify(flow, x, z);
    expect(certificate.failures).toEqual([]);
    expect(certificate.jacobianError).toBeGreaterThan(0);
    expect(certificate.jacobianError).toBeLessThan(1e-4);
  });

  it("find a block whose log-determinant is another multiple of that of its map", async () => {
    const { flow, x, z } = await weighed();
    const { engine } = flow;
    change(flow, flow.chain.bijections.findIndex(isMonotone), (own) => async (out, input, logDet, pass) => {
      if (!logDet) return own(out, input, null, pass);
      const added = { ...logDet, tensor: engine.tensor(logDet.lanes), offset: 0 };
      engine.fill(added, 0);
      await own(out, input, added, pass);
      engine.combine(logDet, 1, logDet, 1.01, added);
    });
    // Estimates and whole Jacobians agree with each other.
    expect(await failures(flow, x, z)).toEqual([expect.stringMatching(/of a whole Jacobian differs by/)]);
  });

  it("find an actnorm whose scale changes between the map and its log-determinant", async () => {
    const { flow, x, z } = await weighed();
    const actnorm = flow.chain.bijections.find(isActnorm) as Actnorm;
    change(flow, flow.chain.bijections.indexOf(actnorm), (own) => async (out, input, logDet, pass) => {
      await own(out, input, null, pass);
      if (!logDet) return;
      actnorm.logScale.values[0] += 0.01;
      actnorm.prepare();
      await own({ ...out, tensor: flow.engine.tensor(out.tensor.length), offset: 0 }, input, logDet, pass);
      actnorm.logScale.values[0] -= 0.01;
      actnorm.prepare();
    });
    expect(await failures(flow, x, z)).toEqual([expect.stringMatching(/of a whole Jacobian differs by/)]);
  });

  it("find weights on the engine that are not the model's", async () => {
    const { flow, x, z } = await weighed();
    const { linear } = flow.engine;
    flow.engine.linear = (out, weight, input, ...rest) => {
      linear.call(flow.engine, out, weight, input, ...rest);
      if (input.rows > 4) flow.engine.combine(out, 1.02, out);
    };
    expect(await failures(flow, x, z)).toContainEqual(
      expect.stringMatching(/of a whole Jacobian differs by .* float64, not below/),
    );
  });
});

it("a weight that is too large for its stale spectral vectors is no contraction's", async () => {
  const flow = await Flow.create(byEstimates(monotoneFlow({ dim: 2, blocks: 2, growth: 8 })));
  weigh(flow);
  await flow.convergeNorms();
  const [x, z] = [table(20, 2, Math.sin), table(20, 2, Math.cos)];
  expect((await certify(flow, x, z)).failures).toEqual([]);
  const weight = flow.parameters.list.find(({ name }) => name === "bijections.0.weight.0")!;
  // Along the vector that power iteration knows nothing of.
  for (let i = 0; i < weight.values.length; i++) weight.values[i] *= i % 2 === 0 ? 5 : 0.2;
  expect((await certify(flow, x, z)).failures).toContainEqual(
    expect.stringMatching(/block 1 \(monotone\) is not certified: .* not below 1/),
  );
});

it("compares estimates for both directions where images are too large for whole Jacobians", async () => {
  const image = { channels: 2, height: 24, width: 24, levels: 17, blocks: [1], growth: 2, depth: 1 };
  const network = { network: "multilayer", kernels: [1, 1] } as const;
  const flow = await Flow.create(imageFlow({ ...image, ...network }));
  expect(flow.dim).toBeGreaterThan(LARGEST_JACOBIAN);
  const { engine } = flow;
  const wrong = 0.01 * flow.dim;
  const numbers = engine.tensor(2);
  engine.write(numbers, [1, wrong]);
  change(flow, 1, (own) => async (out, input, logDet, pass) => {
    await own(out, input, logDet, pass);
    if (logDet) engine.affine(logDet, logDet, matrix(numbers, 1, 1), matrix(numbers, 1, 1, 1));
  });
  const x = table(1, flow.dim, (i) => 8.5 + 8 * Math.sin(i));
  const certificate = await certify(flow, x, table(1, flow.dim, Math.cos));
  expect(certificate).toMatchObject({ logDetSamples: 1, jacobianError: null });
  expect(certificate.failures).toEqual([
    expect.stringMatching(/log-determinant is off by .* nats, not below/),
  ]);
  // Of the planted error and what may be off nothing is left.
  expect(certificate.logDetLimit).toBeLessThan(wrong);
  expect(Math.abs((certificate.logDetError as number) - wrong)).toBeLessThan(certificate.logDetLimit);
});

describe("the limit of estimates", () => {
  /** A flow whose whole log-determinants are given, and whose estimates lie around them. */
  const estimating = async (exact: number[], off: number[], deviation: number[]) => {
    const made = await images();
    const { flow } = made;
    const sizes: number[] = [];
    const forward = flow.forward.bind(flow);
    flow.forward = async (rows, options) => {
      const result = await forward(rows, { ...options, logDet: false });
      if (options?.logDet === false) return result;
      if (!options?.exact) sizes.push(result.z.rows);
      const logDet = Float64Array.from({ length: result.z.rows }, (_, i) => {
        const row = i % 4;
        if (options?.exact) return exact[row];
        return exact[row] + off[row] + (Math.floor(i / 4) % 2 ? 1 : -1) * deviation[row];
      });
      return { ...result, logDet };
    };
    const certificate = await certify(flow, made.x, made.z);
    return { certificate, sizes };
  };

  it("is five standard errors of their mean, beside a thousandth of the log-determinant", async () => {
    const { certificate, sizes } = await estimating([0.5, 20, -30, 1], [0, 0, 0.05, 0], [0.1, 0.2, 0.3, 0.4]);
    // 256 estimates of each of the four images, 64 in a pass.
    expect(sizes).toEqual(new Array(16).fill(64));
    // The third is off by most of what it may be off.
    expect(certificate.logDetLimit).toBeCloseTo(0.03 + (5 * 0.3) / Math.sqrt(255), 12);
    expect(certificate.logDetError).toBeCloseTo(0.05, 10);
    expect(certificate.logDetSamples).toBe(4);
    // These are not those of the flow's map.
    expect(certificate.failures).toEqual([expect.stringMatching(/of a whole Jacobian differs by/)]);
  });

  it("is a fiftieth of a nat a dimension at most, however they scatter", async () => {
    const { certificate } = await estimating([0, 0, 0, 0], [0, 0.1, 0, 0], [9, 9, 9, 9]);
    expect(certificate.logDetLimit).toBeCloseTo(0.32, 12);
    expect(certificate.logDetError).toBeCloseTo(0.1, 10);
  });
});

it("takes the numerical Jacobians of a thousand directions of vectors, and tells which way a round trip fails", async () => {
  const flow = await Flow.create(monotoneFlow({ dim: 3, blocks: 1, growth: 4 }), {
    engine: new ReferenceEngine(),
  });
  const [x, z] = [table(400, 3, Math.sin), table(5, 3, Math.cos)];
  const certificate = await certify(flow, x, z);
  expect(certificate.logDetSamples).toBe(334);
  expect(certificate.logDetLimit).toBe(1e-3);
  expect(certificate.roundTrip).toBe(Math.max(certificate.roundTripData, certificate.roundTripLatent));
  expect([certificate.unconverged, certificate.notFinite, certificate.jacobianError]).toEqual([0, 0, null]);
});
