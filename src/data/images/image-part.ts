import { FlowError } from "../../errors.js";
import { type ImageShape, sameShape, shapeText } from "./image-set.js";
import type { RawPart, RawSet } from "./records.js";

/** What a source of images was found to hold; `source` is the file or folder that a person knows. */
export interface ImagePart extends RawPart {
  readonly source: string;
  readonly shape: ImageShape;
  readonly levels: number;
  /** What a person should know, in sentences. */
  readonly remarks?: readonly string[];
}

/** Throws a `FlowError` of code `input` that names two parts whose images differ in shape, if there are any. */
export function checkShapes(parts: readonly ImagePart[]): void {
  const [first] = parts;
  const other = parts.find((part) => !sameShape(part.shape, first.shape));
  if (!other) return;
  throw new FlowError(
    "input",
    `${other.source} has images of ${shapeText(other.shape)}, ${first.source} of ${shapeText(first.shape)}; all must have one shape`,
  );
}

/** All images of these parts. */
export function wholeSet(parts: readonly ImagePart[]): RawSet {
  return { count: countImages(parts), parts: parts.map(plain) };
}

export function countImages(parts: readonly ImagePart[]): number {
  return parts.reduce((sum, { images }) => sum + images.count, 0);
}

/** Only what reading needs. */
export function plain({ images, labels }: ImagePart): RawPart {
  return labels ? { images, labels } : { images };
}
