/** The sheet of images that is shown, and how it is filled: a few at a time, so that it follows the controls. */
import { signal } from "@preact/signals";
import type { ImageModel } from "../../models/image-model.js";
import { stepsOf } from "../../models/model-files.js";
import type { WorkerLink } from "../../models/use-worker.js";
import { type ImagesNews, type ImagesOrder, PIECE } from "./messages.js";

/** What was asked for. */
export interface Wish {
  readonly model: ImageModel;
  readonly count: number;
  readonly seed: number;
  readonly temperature: number;
}

export interface Sheet {
  readonly wish: Wish;
  /** Of the model, once the worker has it. */
  readonly parameters: number | null;
  /** Of its training, where they are known and the worker has the model. */
  readonly steps: number | null;
  /** Images that are there; those after them are of the sheet before. */
  readonly done: number;
  /** [image][channel][y][x]; NaN where nothing was ever drawn, or an image has failed. */
  readonly pixels: Float64Array;
  /** Images that have failed. */
  readonly failed: number;
  /** What is said of a model that is not certified; null if it is, or the worker does not have it yet. */
  readonly uncertified: string | null;
}

export const sheet = signal<Sheet | null>(null);

let turn = 0;
/** Answers that the worker owes. */
let owed = 0;

const sizeOf = ({ channels, height, width }: ImageModel["image"]) => channels * height * width;

/** Begins another sheet. */
export function begin(wish: Wish, link: WorkerLink<ImagesOrder>): void {
  const before = sheet.peek();
  const same = before?.wish.model === wish.model;
  const pixels = new Float64Array(wish.count * sizeOf(wish.model.image)).fill(Number.NaN);
  if (same) pixels.set(before.pixels.subarray(0, pixels.length));
  turn++;
  const known = same ? before : { parameters: null, steps: null, uncertified: null };
  const { parameters, steps, uncertified } = known;
  sheet.value = { wish, parameters, steps, uncertified, done: 0, pixels, failed: 0 };
  if (same) ask(link);
  // A worker may have ended over the model before.
  else if (link.failure.peek() !== null) link.restart();
  else open(link);
}

/** A new worker knows no model, and owes nothing. */
export function started(link: WorkerLink<ImagesOrder>): void {
  owed = 0;
  open(link);
}

function open(link: WorkerLink<ImagesOrder>): void {
  const now = sheet.peek();
  if (!now) return;
  const { declaration, weights } = now.wish.model;
  owed++;
  link.order({ kind: "open", declaration, weights });
}

/** Asks for the next images, if nothing else is under way. */
function ask(link: WorkerLink<ImagesOrder>): void {
  const now = sheet.peek();
  if (owed > 0 || !now || now.done >= now.wish.count) return;
  const { count, seed, temperature } = now.wish;
  const piece = Math.min(PIECE, count - now.done);
  owed++;
  link.order({ kind: "sample", turn, first: now.done, count: piece, seed, temperature });
}

export function hear(news: ImagesNews, link: WorkerLink<ImagesOrder>): void {
  owed--;
  const now = sheet.peek();
  if (!now) return;
  if (news.kind === "opened") {
    const { parameters, uncertified } = news;
    sheet.value = { ...now, parameters, uncertified, steps: stepsOf(news, now.wish.model.config) };
  } else if (news.turn === turn) {
    const size = sizeOf(now.wish.model.image);
    const pixels = now.pixels.slice();
    pixels.set(news.pixels, news.first * size);
    const done = news.first + news.pixels.length / size;
    sheet.value = { ...now, pixels, done, failed: now.failed + news.failed };
  }
  ask(link);
}
