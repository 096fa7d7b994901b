/** What the page of images and its worker tell each other. */
export type ImagesOrder =
  /** The contents of a model's two files. */
  | { kind: "open"; declaration: Uint8Array; weights: Uint8Array }
  /** Images of a sheet from number `first` on; `turn` names the sheet. */
  | { kind: "sample"; turn: number; first: number; count: number; seed: number; temperature: number };

export type ImagesNews =
  | { kind: "opened"; parameters: number }
  /** Pixels, 0 to levels - 1: [image][channel][y][x]. */
  | { kind: "images"; turn: number; first: number; pixels: Float64Array };

/** Images a question: a pass of the flow, so that they have the bits of the command line. */
export const PIECE = 16;
