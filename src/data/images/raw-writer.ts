import { closeSync, fsyncSync, openSync, writeSync } from "node:fs";
import { FlowError } from "../../errors.js";
import { reason } from "../../files.js";

/** Writes a raw file of the cache in order; errors are `FlowError`s of code `output` that name it. */
export class RawWriter {
  readonly #path: string;
  readonly #file: number;
  /** Bytes written so far. */
  bytes = 0;

  constructor(path: string) {
    this.#path = path;
    this.#file = this.#attempt(() => openSync(path, "w"));
  }

  write(chunk: Uint8Array): void {
    this.#attempt(() => {
      for (let at = 0; at < chunk.length; ) at += writeSync(this.#file, chunk, at);
    });
    this.bytes += chunk.length;
  }

  /** Makes sure that the bytes are on the disk. */
  flush(): void {
    this.#attempt(() => fsyncSync(this.#file));
  }

  close(): void {
    closeSync(this.#file);
  }

  #attempt<T>(action: () => T): T {
    try {
      return action();
    } catch (cause) {
      throw new FlowError(
        "output",
        `cannot write ${this.#path}: ${reason(cause)}; MONOTONE_FLOWS_CACHE names another folder for unpacked images`,
        { cause },
      );
    }
  }
}

/** Runs `action` with a writer, which is flushed if all went well and closed in any case. */
export async function withWriter<T>(path: string, action: (writer: RawWriter) => T | Promise<T>): Promise<T> {
  const writer = new RawWriter(path);
  try {
    const result = await action(writer);
    writer.flush();
    return result;
  } finally {
    writer.close();
  }
}
