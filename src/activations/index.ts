import { FlowError, quoted } from "../errors.js";
import type { Activation } from "./activation.js";
import { clipswish, lipswish } from "./clipswish.js";
import { cpila } from "./cpila.js";
import { elu } from "./elu.js";
import { crelu, relu } from "./relu.js";
import { tanh } from "./tanh.js";

/** All activations, by which `activation` knows their names; CPila, that of the paper, first. */
export const activations: readonly Activation[] = [cpila, clipswish, lipswish, crelu, relu, elu, tanh];

/** Their names. */
export const activationNames = activations.map((a) => a.name);

/** The activation of that name; throws a `usage` error that lists the names otherwise. */
export function activation(name: string): Activation {
  const found = activations.find((a) => a.name === name);
  if (!found) {
    throw new FlowError(
      "usage",
      `unknown activation ${quoted(name)}; choose one of ${activationNames.join(", ")}`,
    );
  }
  return found;
}
