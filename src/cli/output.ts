/** What every command shares: one JSON object on stdout with --json, sentences otherwise. */

/** Prints the result of a command: the object as JSON, or else the lines. */
export function report(json: boolean | undefined, result: object, lines: readonly string[]): void {
  process.stdout.write(json ? `${JSON.stringify(result)}\n` : `${lines.join("\n")}\n`);
}

/** A remark for people, on stderr. */
export function remark(text: string): void {
  process.stderr.write(`${text}\n`);
}

/** Rows of two columns, aligned. */
export function aligned(rows: readonly (readonly [string, string])[]): string[] {
  const width = Math.max(...rows.map(([name]) => name.length));
  return rows.map(([name, value]) => `${name.padEnd(width)}  ${value}`);
}
