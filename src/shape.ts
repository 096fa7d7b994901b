/** The shapes of what goes through a chain: images of channels, or vectors, whose channels are their dimensions. */

export interface Shape {
  readonly channels: number;
  readonly height: number;
  readonly width: number;
}

export const sizeOf = ({ channels, height, width }: Shape) => channels * height * width;

/** Numbers that a channel has. */
export const placesOf = ({ height, width }: Shape) => height * width;

export const inWords = ({ channels, height, width }: Shape) => `${channels} x ${height} x ${width}`;
