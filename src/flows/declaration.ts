/** The declaration of a flow: plain JSON that says everything about its architecture. */
import { z } from "zod";
import { baseSchema } from "../bases/index.js";
import { bijectionSchema } from "../bijections/index.js";
import { type ErrorCode, FlowError } from "../errors.js";
import { estimatorSchema } from "../logdet/estimator.js";
import { networkSchema } from "../networks/declaration.js";
import { firstIssue } from "./json.js";

const count = z.number().int().positive();

/** Dimensions up to which Jacobians are computed whole. */
export const EXACT_DIM = 16;
const MAX_DIM = 1 << 20;
const MAX_BIJECTIONS = 4_096;

/** Rows are images, [channel][y][x], of pixels with noise; the chain starts with their logit. */
const image = z.strictObject({
  channels: count,
  height: count,
  width: count,
  levels: count.min(2).max(1 << 16),
  alpha: z.number().positive().lt(0.5),
});
export const imageShape = image.shape;

const declaration = z
  .strictObject({
    dim: count.max(MAX_DIM),
    image: image.optional(),
    /** Learned noise on the pixels, from two networks of this kind each; absent: the data bring uniform noise. */
    dequantization: z.strictObject({ kind: z.literal("variational"), network: networkSchema }).optional(),
    /** Present: blocks solve by fixed points and estimate log-determinants; absent: all is exact. */
    estimator: estimatorSchema.optional(),
    /** A fixed start of the chain: (x - mean) / deviation, in float64. */
    standardisation: z
      .strictObject({ mean: z.array(z.number()), deviation: z.array(z.number().positive()) })
      .optional(),
    bijections: z.array(bijectionSchema).min(1).max(MAX_BIJECTIONS),
    /** The density of the latents (default: standard normal). */
    base: baseSchema.optional(),
  })
  .refine(({ dim, standardisation: s }) => !s || (s.mean.length === dim && s.deviation.length === dim), {
    path: ["standardisation"],
    message: "it needs one mean and one deviation a dimension",
  })
  .refine(({ dim, image }) => !image || image.channels * image.height * image.width === dim, {
    path: ["image"],
    message: "its channels, height and width must multiply to dim",
  })
  .refine(({ image, dequantization }) => image || !dequantization, {
    path: ["dequantization"],
    message: "only images have pixels to dequantize",
  })
  .refine(({ dim, estimator: e }) => e || dim <= EXACT_DIM, {
    path: ["dim"],
    message: `more than ${EXACT_DIM} dimensions need an estimator of log-determinants`,
  });

/** A flow as plain JSON: dimensions, preprocessing, chain, base distribution. It is `flow.json` in a run directory. */
export type FlowDeclaration = z.infer<typeof declaration>;
/** Checks a declaration that was read from somewhere; throws an `input` error that says where it is wrong. */
export function parseDeclaration(value: unknown, where: string, code: ErrorCode = "input"): FlowDeclaration {
  const result = declaration.safeParse(value);
  if (!result.success) {
    throw new FlowError(code, `${where}: the flow's declaration is wrong ${firstIssue(result.error)}`);
  }
  return result.data as FlowDeclaration;
}
