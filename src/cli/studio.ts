/** Serves the built studio to this machine alone, cross-origin isolated so that its threads can share memory. */
import { once } from "node:events";
import { existsSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { join, sep } from "node:path";
import { fileURLToPath } from "node:url";
import type { Command } from "@commander-js/extra-typings";
import send from "send";
import { z } from "zod";
import { check, FlowError } from "../errors.js";
import { reason } from "../files.js";
import { option } from "../options.js";
import { endingSignals } from "../runs/interruption.js";
import { schemaOption } from "./options.js";
import { remark, report } from "./output.js";

const HOST = "127.0.0.1";
const port = option(
  z.number().int().min(0).max(65_535),
  `the port on ${HOST}; 0 for any that is free`,
).default(8017);
/** Where the build puts the studio; this file stands in dist/src/cli once it is compiled. */
const STUDIO = fileURLToPath(new URL("../../studio", import.meta.url));

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

export function studioCommand(program: Command): void {
  program
    .command("studio")
    .description("see and steer flows in the browser: serves a web application to this machine alone")
    .addOption(schemaOption("--port <n>", port))
    .option("--json", "print one JSON object on stdout: its address")
    .addHelpText(
      "after",
      `
Needs no network. It ends with Ctrl-C. The same files, in dist/studio of this package, work on any web server.

Examples:
  $ monotone-flows studio
  $ monotone-flows studio --port 9000`,
    )
    .action(async ({ port, json }) => {
      const server = await serveStudio(port);
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

/** Serves the files of a folder; throws a `usage` error if the port cannot be had, a `run` one without the files. */
export async function serveStudio(port: number, folder = STUDIO): Promise<Server> {
  check(
    existsSync(join(folder, "index.html")),
    "run",
    `the studio has not been built: ${folder} holds no index.html; run npm run build`,
  );
  const server = createServer((request, response) => answer(request, response, folder));
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

/** Sends the file that an address names, in one piece or in ranges, and closes it, whatever becomes of the request. */
function answer(request: IncomingMessage, response: ServerResponse, folder: string): void {
  for (const [name, value] of Object.entries(HEADERS)) response.setHeader(name, value);
  const refuse = (status: number, text: string) =>
    response.writeHead(status, { "Content-Type": "text/plain; charset=utf-8" }).end(`${text}\n`);
  if (request.method !== "GET" && request.method !== "HEAD") {
    response.setHeader("Allow", "GET, HEAD");
    refuse(405, "only GET and HEAD");
    return;
  }
  const absent = () => refuse(404, "there is no such file");
  send(request, (request.url ?? "/").split(/[?#]/, 1)[0], { root: folder, cacheControl: false })
    .on("headers", (_: ServerResponse, path: string) => {
      // Names of files in assets/ carry a hash of their content.
      const hashed = path.includes(`${sep}assets${sep}`);
      response.setHeader("Cache-Control", hashed ? "public, max-age=31536000, immutable" : "no-cache");
    })
    .on("directory", absent)
    .on("error", (error: Error & { status: number }) => {
      // A browser that goes away in the midst of a file is no fault.
      if (response.headersSent) response.destroy();
      else if (error.status === 412 || error.status === 416)
        refuse(error.status, "the file has no such part");
      else if (error.status < 500) absent();
      else refuse(500, `the file cannot be read: ${reason(error)}`);
    })
    .pipe(response);
}
