/**
 * How much data is taken in, at most: a small file may unpack to more than there is room for. Each limit can be raised
 * by a variable in the environment, which the errors name.
 */
import { FlowError } from "../errors.js";

export interface Limit {
  readonly variable: string;
  /** In the unit of the variable. */
  readonly standard: number;
  readonly unit: "MB" | "pixels";
  readonly of: string;
}

/** The bytes of a table, as text or numbers, unpacked: all of them are in memory at a time. */
export const tableLimit: Limit = {
  variable: "MONOTONE_FLOWS_MAX_TABLE_MB",
  standard: 256,
  unit: "MB",
  of: "a table",
};
/** The bytes of images of one file or folder, unpacked into the cache. A batch of ImageNet 64 x 64 has 1,574 MB. */
export const imagesLimit: Limit = {
  variable: "MONOTONE_FLOWS_MAX_IMAGES_MB",
  standard: 4096,
  unit: "MB",
  of: "the images of a file or folder",
};
/** The pixels of an image in a file of its own. */
export const pixelsLimit: Limit = {
  variable: "MONOTONE_FLOWS_MAX_PIXELS",
  standard: 2 ** 20,
  unit: "pixels",
  of: "an image",
};

const MB = 1e6;

/** What a limit allows now: bytes or pixels. Throws a `usage` error if its variable holds no positive number. */
export function most({ variable, standard, unit }: Limit): number {
  const text = process.env[variable] || String(standard);
  const value = Number(text);
  if (!(value > 0)) throw new FlowError("usage", `${variable} must be a positive number, not '${text}'`);
  return Math.floor(value * (unit === "MB" ? MB : 1));
}

/** An `input` error that says of a file or folder that it goes beyond a limit: `holds` 8 GB of numbers, say. */
export function beyond(limit: Limit, path: string, holds: string): FlowError {
  const allowed = limit.unit === "MB" ? `${most(limit) / MB} MB` : `${most(limit)} pixels`;
  return new FlowError(
    "input",
    `${path}: ${holds}, where ${limit.of} may have at most ${allowed}; ${limit.variable} raises this limit`,
  );
}

/** Throws such an error if there is more than the limit allows. */
export function checkLimit(limit: Limit, amount: number, path: string, holds: string): void {
  if (amount > most(limit)) throw beyond(limit, path, holds);
}

/** A number of bytes in words. */
export const bytesText = (bytes: number): string =>
  bytes < MB ? `${bytes} bytes` : `${Math.round(bytes / MB).toLocaleString("en")} MB`;
