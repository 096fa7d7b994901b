/** The shapes of what goes through a chain: images of channels, or vectors, whose channels are their dimensions. */
import { FlowError } from "../errors.js";

export interface Shape {
  readonly channels: number;
  readonly height: number;
  readonly width: number;
}

export const sizeOf = ({ channels, height, width }: Shape) => channels * height * width;

export const inWords = ({ channels, height, width }: Shape) => `${channels} x ${height} x ${width}`;

/**
 * The shape after a step of that kind. Throws a `usage` error where an image has no halves to squeeze or to factor
 * out.
 */
export function shapeAfter(kind: string, shape: Shape): Shape {
  const { channels, height, width } = shape;
  if (kind === "flatten") return { channels: sizeOf(shape), height: 1, width: 1 };
  if (kind === "squeeze") {
    if (height % 2 !== 0 || width % 2 !== 0) {
      throw new FlowError(
        "usage",
        `images of ${inWords(shape)} cannot be squeezed: height and width must be even; use fewer scales`,
      );
    }
    return { channels: 4 * channels, height: height / 2, width: width / 2 };
  }
  if (kind === "factor-out") {
    if (channels % 2 !== 0) {
      throw new FlowError("usage", `${inWords(shape)}: an odd number of channels has no half to factor out`);
    }
    return { channels: channels / 2, height, width };
  }
  return shape;
}
