/** Where this program's package lies. */
import { existsSync } from "node:fs";
import { FlowError } from "./errors.js";

/**
 * The package's own folder: that of the nearest package.json over this file, which stands deeper once it is compiled. Throws
 * an `internal` error where there is none, as over a bundle, most of which needs none.
 */
export function packageRoot(): URL {
  for (let folder = new URL("./", import.meta.url); ; folder = new URL("../", folder)) {
    if (existsSync(new URL("package.json", folder))) return folder;
    if (folder.pathname !== new URL("../", folder).pathname) continue;
    throw new FlowError(
      "internal",
      `the files of the package are not there: no package.json over ${import.meta.url}; leave the package out of the bundle`,
    );
  }
}
