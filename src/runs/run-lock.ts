/**
 * The lock of a run directory: one process at a time trains there. `run.lock` names that process, and holds only as long
 * as it lives: what a killed one has left is taken over.
 */
import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import { FlowError, quoted } from "../errors.js";
import { reason } from "../files.js";
import { sha256 } from "../flows/sha256.js";

export const LOCK_FILE = "run.lock";
/** The lock, and what its takeover leaves if it is cut short. */
export const LOCK_REMAINS = /^run\.lock(\.taken-over-[0-9a-f]+)?$/;

const holder = z.object({
  host: z.string(),
  pid: z.number().int().positive(),
  /** When the process started, where the system says so: another process may have its number by now. */
  started: z.string().nullable(),
});
type Holder = z.infer<typeof holder>;

/** The locks that this process holds. */
const held = new Set<string>();
let listening = false;

/**
 * Locks a run directory for this process, until `unlock` or its end. Throws a `run` error that names the process that
 * trains there, an `output` error if the folder cannot be written.
 */
export function lock(folder: string): void {
  const path = join(folder, LOCK_FILE);
  if (held.has(path)) return;
  if (!listening) process.once("exit", releaseAll);
  listening = true;
  const mine = `${path}.${process.pid}.partial`;
  try {
    writeFileSync(mine, me());
    while (!take(folder, path, mine));
  } catch (cause) {
    if (cause instanceof FlowError) throw cause;
    throw new FlowError("output", `cannot write ${path}: ${reason(cause)}`, { cause });
  } finally {
    rmSync(mine, { force: true });
  }
  held.add(path);
}

export function unlock(folder: string): void {
  const path = join(folder, LOCK_FILE);
  if (!held.delete(path)) return;
  // Somebody may have removed the folder, or the lock by hand, and another process have locked it since.
  if (contentOf(path) === me()) rmSync(path, { force: true });
}

function releaseAll(): void {
  for (const path of [...held]) {
    held.delete(path);
    try {
      if (contentOf(path) === me()) rmSync(path, { force: true });
    } catch {} // Whoever comes next sees that this process is gone.
  }
}

/**
 * Puts the file `mine` in the place of the lock, which is never there without its content. False if others have changed
 * what is there meanwhile.
 */
function take(folder: string, path: string, mine: string): boolean {
  if (link(mine, path)) return true;
  const found = contentOf(path);
  if (found === null) return false;
  refuseIfAlive(folder, path, found);
  // Of those that find the same dead lock, one replaces it, while it holds a lock on the takeover.
  const takeover = `${path}.taken-over-${sha256(new TextEncoder().encode(found)).slice(0, 16)}`;
  if (!link(mine, takeover)) {
    const other = contentOf(takeover);
    if (other !== null) refuseIfAlive(folder, takeover, other);
    rmSync(takeover, { force: true });
    return false;
  }
  try {
    if (contentOf(path) !== found) return false;
    renameSync(mine, path);
    return true;
  } finally {
    rmSync(takeover, { force: true });
  }
}

/** Makes a file appear under a second name, unless that is taken. */
function link(from: string, to: string): boolean {
  try {
    linkSync(from, to);
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "EEXIST") return false;
    // A file system without links.
    if (code !== "EPERM" && code !== "ENOTSUP" && code !== "EOPNOTSUPP" && code !== "ENOSYS") throw error;
  }
  try {
    writeFileSync(to, readFileSync(from), { flag: "wx" });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}

function refuseIfAlive(folder: string, path: string, content: string): void {
  const parsed = holder.safeParse(jsonOf(content));
  if (!parsed.success) {
    throw new FlowError(
      "run",
      `${path} holds ${quoted(content)}, which names no process; remove it if none trains there`,
    );
  }
  const { host, pid } = parsed.data;
  if (host !== hostname()) {
    throw new FlowError(
      "run",
      `process ${pid} of the machine ${quoted(host)} trains in ${folder}; if it does so no more, remove ${path}`,
    );
  }
  if (!isAlive(parsed.data)) return;
  throw new FlowError("run", `process ${pid} is training in ${folder}: wait for its end, or stop it first`);
}

function isAlive({ pid, started }: Holder): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EPERM") return false;
  }
  const now = startOf(pid);
  return started === null || now === null || now === started;
}

/** When a process started: the boot of the system, and clock ticks since then. Null where the system does not say. */
function startOf(pid: number): string | null {
  try {
    const boot = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The name of the program, in brackets, may hold anything; behind it the state comes first, the start as the 20th.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    const ended = fields[0] === "Z" || fields[0] === "X";
    return ended ? "ended" : `${boot} ${fields[19]}`;
  } catch {
    return null;
  }
}

const me = () => `${JSON.stringify({ host: hostname(), pid: process.pid, started: startOf(process.pid) })}\n`;

function contentOf(path: string): string | null {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw error;
  }
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
