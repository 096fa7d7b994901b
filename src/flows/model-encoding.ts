/**
 * A flow as the contents of two files: its declaration as JSON, its weights as safetensors, which carry a checksum of
 * their own and that of the declaration that they belong to. Needs no file system.
 */
import type { Engine } from "../engine/engine.js";
import { check, quoted } from "../errors.js";
import { firstBeyondFloat32 } from "../model/parameters.js";
import { costOf, judgeCost } from "./cost.js";
import { parseDeclaration } from "./declaration.js";
import { Flow, samplesAPass } from "./flow.js";
import { parseJson } from "./json.js";
import { decodeSafetensors, encodeSafetensors, type Tensors } from "./safetensors.js";
import { sha256 } from "./sha256.js";

/** The names of the two files. */
export const DECLARATION_FILE = "flow.json";
export const WEIGHTS_FILE = "model.safetensors";

const FORMAT = "monotone-flows";
const STEPS = /^(0|[1-9]\d{0,14})$/;

/** A flow as the bytes of its two files. */
export interface EncodedFlow {
  /** The content of `flow.json`. */
  declaration: Uint8Array;
  /** The content of `model.safetensors`. */
  weights: Uint8Array;
}

/** Throws a `numerical` error that names the first tensor with a number that is none in float32. */
export function encodeFlow(flow: Flow): EncodedFlow {
  for (const { name, values } of flow.parameters.list) {
    const wrong = firstBeyondFloat32(values);
    check(wrong < 0, "numerical", `the flow has ${values[wrong]} in its tensor ${quoted(name)}`);
  }
  const tensors = new Map(flow.parameters.list.map(({ name, shape, values }) => [name, { shape, values }]));
  const declaration = new TextEncoder().encode(`${JSON.stringify(flow.declaration, null, 2)}\n`);
  const steps = flow.steps === null ? {} : { steps: String(flow.steps) };
  const metadata = { format: FORMAT, declaration: sha256(declaration), ...steps };
  return { declaration, weights: encodeSafetensors({ tensors, metadata }, { sealed: true }) };
}

/**
 * The flow that `encodeFlow` has encoded.
 * @param options.names what errors call the two contents (default: the names of the two files)
 * @throws FlowError `input`, naming the content at fault: damaged, of another flow, or with weights that are no numbers
 */
export async function decodeFlow(
  { declaration, weights }: EncodedFlow,
  options: { engine?: Engine; capacity?: number; names?: { declaration: string; weights: string } } = {},
): Promise<Flow> {
  const { names = { declaration: DECLARATION_FILE, weights: WEIGHTS_FILE }, ...rest } = options;
  const parsed = parseDeclaration(parseJson(declaration, names.declaration), names.declaration);
  const decoded = decodeSafetensors(weights, names.weights);
  checkPair(decoded, declaration, names);
  const capacity = rest.capacity ?? samplesAPass(parsed);
  judgeCost(parsed, capacity, names.declaration);
  const { parameters } = costOf(parsed, capacity);
  const given = [...decoded.tensors.values()].reduce((sum, { values }) => sum + values.length, 0);
  // Before anything is built: the weights bound what a declaration can ask for.
  check(
    parameters <= 1.25 * given + 100,
    "input",
    `${names.declaration} declares a flow of about ${Math.round(parameters)} parameters, but ${names.weights} holds ${given} numbers`,
  );
  const flow = await Flow.blank(parsed, rest);
  flow.parameters.load(decoded.tensors, names.weights);
  flow.steps = stepsOf(decoded, names.weights);
  flow.prepare();
  return flow;
}

/** Throws unless the weights are those of the declaration, as far as they say so: earlier versions wrote no checksums. */
function checkPair(
  { metadata, sealed }: Tensors,
  declaration: Uint8Array,
  names: { declaration: string; weights: string },
): void {
  if (metadata.format !== FORMAT) return; // From elsewhere.
  const { format: _, declaration: checksum, steps: __, ...others } = metadata;
  const [other] = Object.keys(others);
  check(
    other === undefined && sealed === (checksum !== undefined),
    "input",
    `${names.weights} is damaged: its metadata ${other === undefined ? "lack a checksum" : `have the unknown key ${quoted(other)}`}`,
  );
  check(
    checksum === undefined || checksum === sha256(declaration),
    "input",
    `${names.declaration} is not what ${names.weights} was written with: one of the two has been changed, or is of another model`,
  );
}

/** The steps of training that the weights say they come from; null where they do not. */
function stepsOf({ metadata: { format, steps } }: Tensors, name: string): number | null {
  if (format !== FORMAT || steps === undefined) return null;
  check(STEPS.test(steps), "input", `${name} is damaged: its metadata have ${quoted(steps)} steps`);
  return Number(steps);
}
