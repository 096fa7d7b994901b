/** The shapes of what goes through a chain: images of channels, or vectors, whose channels are their dimensions. */

/** An image of [channel][y][x] numbers, or a vector, which is an image of one place. */
export interface Shape {
  /** Channels, or the dimensions of a vector. */
  readonly channels: number;
  /** 1 of a vector. */
  readonly height: number;
  /** 1 of a vector. */
  readonly width: number;
}

/** Numbers of a sample. */
export const sizeOf = ({ channels, height, width }: Shape) => channels * height * width;

/** Numbers that a channel has. */
export const placesOf = ({ height, width }: Pick<Shape, "height" | "width">) => height * width;

/** For messages: 3 x 32 x 32. */
export const inWords = ({ channels, height, width }: Shape) => `${channels} x ${height} x ${width}`;
