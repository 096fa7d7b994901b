/** Programs in other frameworks to measure ours against: where they can run, and the one JSON line that each prints. */
import { execFileSync, spawnSync } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** The repository; this file is compiled to dist/bench/peers. */
export const root = fileURLToPath(new URL("../../..", import.meta.url));
const folder = join(root, "bench", "peers");

/**
 * Installs what is missing, which takes minutes the first time, and returns the peers that can run here with their
 * interpreters. Those that cannot are named through `say`.
 */
export function installPeers(say: (line: string) => void = console.log): Map<string, string> {
  const output = execFileSync("bash", [join(folder, "install.sh")], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"],
  });
  const available = new Map<string, string>();
  for (const line of output.trim().split("\n")) {
    const [name, state, interpreter] = line.split(" ");
    if (state === "available") available.set(name, join(folder, interpreter));
    else say(`skipped: ${name} (its framework could not be installed)`);
  }
  return available;
}

/** Runs a peer to its end and returns its line. Throws where it prints none; a failed check is a line, too. */
export function runPeer<T = Record<string, unknown>>(
  name: string,
  interpreter: string,
  args: readonly string[],
): T {
  const { stdout, stderr, status, error } = spawnSync(
    interpreter,
    [join(folder, `${name}.py`), ...args, "--json"],
    { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"], maxBuffer: 1e8 },
  );
  if (error) throw error;
  if (!stdout) {
    throw new Error(`${name} failed with status ${status}: ${stderr.trim().split("\n").at(-1)}`);
  }
  return JSON.parse(stdout);
}

/** The outcome of a peer's `--check` against the golden vectors in test/golden: "passed", or what differs. */
export function checkPeer(name: string, interpreter: string): string {
  return runPeer<{ check: string }>(name, interpreter, ["--check", join(root, "test", "golden")]).check;
}
