/** Bundles the studio into dist/studio: static files with relative addresses, for any web server. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { defineConfig, type Plugin, type Rollup } from "vite";

const { version } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8"));

/** Of the three formats of each of KaTeX's fonts, every browser that can run the kernels reads the first. */
const oneFontFormat: Plugin = {
  name: "one-font-format",
  enforce: "pre",
  transform(code, id) {
    if (!id.includes("katex") || !id.endsWith(".css")) return null;
    return code.replace(/,\s*url\([^)]*\.(?:woff|ttf)\)\s*format\("(?:woff|truetype)"\)/g, "");
  },
};

/** What cannot be helped: comments in zod that Rollup does not understand, and does not need to. */
const onwarn: NonNullable<Rollup.RollupOptions["onwarn"]> = (warning, warn) => {
  if (warning.code !== "INVALID_ANNOTATION") warn(warning);
};

/** Modules of Node that the library imports only when it runs there. */
const nodeOnly = ["node:os", "node:v8", "node:worker_threads"];
const absent = fileURLToPath(new URL("absent.ts", import.meta.url));

export default defineConfig({
  root: fileURLToPath(new URL(".", import.meta.url)),
  base: "./",
  define: { STUDIO_VERSION: JSON.stringify(version) },
  plugins: [oneFontFormat],
  worker: { format: "es" },
  resolve: {
    alias: Object.fromEntries(nodeOnly.map((name) => [name, absent])),
  },
  build: {
    outDir: "../dist/studio",
    emptyOutDir: true,
    target: "es2022",
    // Files of their own: the content security policy forbids data: addresses for everything but pictures.
    assetsInlineLimit: 0,
    // The kernels of the engine, in base64, are most of one chunk.
    chunkSizeWarningLimit: 1200,
    reportCompressedSize: false,
    rollupOptions: { onwarn },
  },
  server: {
    host: "127.0.0.1",
    headers: {
      "Cross-Origin-Opener-Policy": "same-origin",
      "Cross-Origin-Embedder-Policy": "require-corp",
    },
  },
});
