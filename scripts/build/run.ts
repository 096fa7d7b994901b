/** Builds the kernels, the package with its command line, and the studio, unless they are there as the sources make them. */
import { spawn } from "node:child_process";
import { chmodSync, rmSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { type Build, inputsOf, isCurrent, record } from "./stamp.js";

const build: Build = {
  root: fileURLToPath(new URL("../..", import.meta.url)),
  inputs: [
    ...["assets", "bench", "kernels", "scripts/build", "scripts/kernels", "src", "studio"],
    ...["package.json", "package-lock.json", "tsconfig.json", "tsconfig.build.json"],
  ],
  outputs: ["dist", "kernels/generated", "src/engine/wasm/binaries.ts"],
  // `npm ci` takes it away: other packages may build something else.
  stamp: "node_modules/.cache/monotone-flows/build.json",
};

/** Runs a program of the packages to its end. */
function run(command: string): Promise<void> {
  const child = spawn(command, { cwd: build.root, shell: true, stdio: "inherit" });
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) => (code === 0 ? resolve() : reject(new Error(`${command} has failed`))));
  });
}

if (isCurrent(build)) {
  process.stderr.write("what was built is up to date\n");
} else {
  const inputs = inputsOf(build);
  rmSync(`${build.root}/dist`, { recursive: true, force: true });
  await run("tsx scripts/kernels/build.ts");
  await Promise.all([run("tsc -p tsconfig.build.json"), run("vite build studio --logLevel warn")]);
  chmodSync(`${build.root}/dist/src/cli/main.js`, 0o755);
  record(build, inputs);
}
