import { expect, it } from "vitest";
import { ReferenceEngine } from "../engine/reference/engine.js";
import { monotoneFlow } from "./declaration.js";
import { Flow } from "./flow.js";
import { decodeFlow, encodeFlow } from "./model-encoding.js";

const engine = () => new ReferenceEngine();

it("gives back the flow that was encoded", async () => {
  const flow = await Flow.create(monotoneFlow({ dim: 2, blocks: 2, growth: 4 }), {
    engine: engine(),
    seed: 9,
  });
  const decoded = await decodeFlow(encodeFlow(flow), { engine: engine() });
  const rows = [[0.5, -1]];
  expect(await decoded.logProb(rows)).toEqual(await flow.logProb(rows));
});

it("names the content at fault", async () => {
  const flow = await Flow.create(monotoneFlow({ dim: 2, blocks: 1, growth: 4 }), { engine: engine() });
  const encoded = encodeFlow(flow);
  const cut = { ...encoded, weights: encoded.weights.slice(0, -1) };
  await expect(decodeFlow(cut)).rejects.toThrow(/^model\.safetensors is cut short/);
  const other = { ...encoded, declaration: new TextEncoder().encode("{") };
  const names = { declaration: "my.json", weights: "my.safetensors" };
  await expect(decodeFlow(other, { names })).rejects.toThrow(/^my\.json is not valid JSON/);
});
