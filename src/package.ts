/** What package.json says of this program. */
import { existsSync, readFileSync } from "node:fs";

/** The nearest package.json over this file, which stands deeper once it is compiled. */
function manifest(folder = new URL("./", import.meta.url)): { version: string; description: string } {
  const file = new URL("package.json", folder);
  return existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) : manifest(new URL("../", folder));
}

export const { version, description } = manifest();
