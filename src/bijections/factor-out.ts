import { z } from "zod";
import { FlowError } from "../errors.js";
import { inWords } from "../shape.js";
import { Reshape } from "./fixed-map.js";
import type { BijectionKind } from "./kind.js";

const schema = z.strictObject({ kind: z.literal("factor-out") });

/** The second half of the channels goes to the latent as it is (Dinh et al. 2017). */
export const factorOut: BijectionKind<z.infer<typeof schema>> = {
  kind: "factor-out",
  schema,
  shapeAfter(shape) {
    const { channels, height, width } = shape;
    if (channels % 2 !== 0)
      throw new FlowError("usage", `${inWords(shape)}: an odd number of channels has no half to factor out`);
    return { channels: channels / 2, height, width };
  },
  make: (_, { engine }) => new Reshape(engine, "factor-out"),
};
