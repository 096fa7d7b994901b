/** A model of images: the digits' that comes along, or one that was opened. */
import { signal } from "@preact/signals";
import { type FlowDeclaration, parseDeclaration, parseJson } from "../library.js";
import { type Config, type Contents, configOf, partsOf } from "./model-files.js";

export interface ImageModel {
  readonly title: string;
  /** The contents of flow.json and model.safetensors. */
  readonly declaration: Uint8Array;
  readonly weights: Uint8Array;
  readonly image: NonNullable<FlowDeclaration["image"]>;
  /** What its run's configuration says. */
  readonly config: Config;
}

export const openedImages = signal<ImageModel | null>(null);

/** The model in these files, or null if it is one of something else. Throws an error in words. */
export function imageModel(contents: Contents, title: string): ImageModel | null {
  const { declaration, weights } = partsOf(contents, title);
  const { image } = parseDeclaration(parseJson(declaration, "flow.json"), "flow.json");
  if (!image) return null;
  return { title, declaration, weights, image, config: configOf(contents) };
}
