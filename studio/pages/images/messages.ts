/** What the page of images and its worker tell each other. */
export type ImagesOrder =
  /** The contents of a model's two files. */
  | { kind: "open"; declaration: Uint8Array; weights: Uint8Array }
  /** Images of a sheet from number `first` on; `turn` names the sheet. */
  | { kind: "sample"; turn: number; first: number; count: number; seed: number; temperature: number };

export type ImagesNews =
  /** `steps`: of its training, as its weights tell; `uncertified`: what is said of a model that is not certified. */
  | { kind: "opened"; parameters: number; steps: number | null; uncertified: string | null }
  /** Pixels, 0 to levels - 1: [image][channel][y][x]. Those of images that have failed, so many, are NaN. */
  | { kind: "images"; turn: number; first: number; pixels: Float64Array; failed: number };

/** Images a question: a pass of the flow, so that they have the bits of the command line. */
export const PIECE = 16;
