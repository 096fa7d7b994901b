/** Serves the built studio to this machine alone, cross-origin isolated so that its threads can share memory. */
import { once } from "node:events";
import { existsSync } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { extname, join, normalize, sep } from "node:path";
import { pipeline } from "node:stream/promises";
import { fileURLToPath } from "node:url";
import type { Command } from "commander";
import { check, FlowError } from "../errors.js";
import { reason } from "../files.js";
import { endingSignals } from "../runs/interruption.js";
import { integer } from "./options.js";
import { remark, report } from "./output.js";

const HOST = "127.0.0.1";
const DEFAULT_PORT = 8017;
/** Where the build puts the studio; this file stands in dist/src/cli once it is compiled. */
const STUDIO = fileURLToPath(new URL("../../studio", import.meta.url));

const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".json": "application/json",
  ".svg": "image/svg+xml",
  ".woff2": "font/woff2",
  ".safetensors": "application/octet-stream",
};

const HEADERS = {
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
  "Cross-Origin-Resource-Policy": "same-origin",
  "Content-Security-Policy":
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; style-src 'self'; " +
    "img-src 'self' data: blob:; font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; " +
    "frame-ancestors 'none'",
  "Referrer-Policy": "no-referrer",
  "X-Content-Type-Options": "nosniff",
};

/** What the system says where nothing is: a folder of that name, too, is no file. */
const ABSENT = ["ENOENT", "ENOTDIR", "EISDIR", "ENAMETOOLONG", "ELOOP"];

export function studioCommand(program: Command): void {
  program
    .command("studio")
    .description("see and steer flows in the browser: serves a web application to this machine alone")
    .option("--port <n>", `the port on ${HOST}; 0 for any that is free (default: ${DEFAULT_PORT})`)
    .option("--json", "print one JSON object on stdout: its address")
    .addHelpText(
      "after",
      `
Needs no network. It ends with Ctrl-C. The same files, in dist/studio of this package, work on any web server.

Examples:
  $ monotone-flows studio
  $ monotone-flows studio --port 9000`,
    )
    .action(async ({ port, json }: { port?: string; json?: boolean }) => {
      const server = await serveStudio(studioPort(port));
      const end = () => {
        server.close();
        server.closeAllConnections();
      };
      for (const signal of endingSignals) process.once(signal, end);
      const address = `http://${HOST}:${(server.address() as AddressInfo).port}/`;
      report(json, { address }, [`The studio is at ${address}`]);
      remark("It ends with Ctrl-C.");
      if (server.listening) await once(server, "close");
    });
}

function studioPort(text: string | undefined): number {
  const port = integer("--port", text ?? String(DEFAULT_PORT), 0);
  check(port <= 65_535, "usage", `--port must be at most 65535, not ${port}`);
  return port;
}

/** Serves the files of a folder; throws a `usage` error if the port cannot be had, a `run` one without the files. */
export async function serveStudio(port: number, folder = STUDIO): Promise<Server> {
  check(
    existsSync(join(folder, "index.html")),
    "run",
    `the studio has not been built: ${folder} holds no index.html; run npm run build`,
  );
  const server = createServer((request, response) => void answer(request, response, folder));
  server.listen(port, HOST);
  try {
    await once(server, "listening");
  } catch (cause) {
    const inUse = (cause as NodeJS.ErrnoException).code === "EADDRINUSE";
    throw new FlowError(
      "usage",
      inUse
        ? `port ${port} on ${HOST} is in use; choose another with --port, or 0 for any that is free`
        : `cannot listen on port ${port} of ${HOST}: ${reason(cause)}`,
      { cause },
    );
  }
  return server;
}

async function answer(request: IncomingMessage, response: ServerResponse, folder: string): Promise<void> {
  const refuse = (status: number, text: string) =>
    response.writeHead(status, { ...HEADERS, "Content-Type": "text/plain; charset=utf-8" }).end(`${text}\n`);
  if (request.method !== "GET" && request.method !== "HEAD") {
    response.setHeader("Allow", "GET, HEAD");
    refuse(405, "only GET and HEAD");
    return;
  }
  const path = pathOf(request.url ?? "/", folder);
  let file: FileHandle | null = null;
  try {
    file = path === null ? null : await open(path);
    const found = await file?.stat();
    if (path === null || file === null || !found?.isFile()) {
      refuse(404, "there is no such file");
      return;
    }
    response.writeHead(200, {
      ...HEADERS,
      "Content-Type": TYPES[extname(path)] ?? "application/octet-stream",
      "Content-Length": found.size,
      // Names of files in assets/ carry a hash of their content.
      "Cache-Control": path.includes(`${sep}assets${sep}`)
        ? "public, max-age=31536000, immutable"
        : "no-cache",
    });
    if (request.method === "HEAD") response.end();
    else await pipeline(file.createReadStream({ autoClose: false }), response);
  } catch (error) {
    // A browser that goes away in the midst of a file is no fault.
    if (response.headersSent) response.destroy();
    else if (ABSENT.includes((error as NodeJS.ErrnoException).code ?? ""))
      refuse(404, "there is no such file");
    else refuse(500, `the file cannot be read: ${reason(error)}`);
  } finally {
    await file?.close();
  }
}

/** The path that an address names, or null if that lies outside of the folder. */
function pathOf(url: string, folder: string): string | null {
  let path: string;
  try {
    path = decodeURIComponent(url.split(/[?#]/, 1)[0]);
  } catch {
    return null;
  }
  if (path.includes("\0")) return null;
  const root = normalize(join(folder, sep));
  const file = normalize(join(root, path.endsWith("/") ? `${path}index.html` : path));
  return file.startsWith(root) ? file : null;
}
