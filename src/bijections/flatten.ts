import { z } from "zod";
import { sizeOf } from "../shape.js";
import { Reshape } from "./fixed-map.js";
import type { BijectionKind } from "./kind.js";

const schema = z.strictObject({ kind: z.literal("flatten") });

/** An image as a vector: every number of it is a channel of its own from here on. */
export const flatten: BijectionKind<z.infer<typeof schema>> = {
  kind: "flatten",
  schema,
  shapeAfter: (shape) => ({ channels: sizeOf(shape), height: 1, width: 1 }),
  make: (_, { engine }) => new Reshape(engine, "flatten"),
};
