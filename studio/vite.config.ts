/** Bundles the studio into dist/studio: static files with relative addresses, for any web server. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { defineConfig, type Plugin } from "vite";

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

export default defineConfig({
  root: fileURLToPath(new URL(".", import.meta.url)),
  base: "./",
  define: { STUDIO_VERSION: JSON.stringify(version) },
  plugins: [oneFontFormat],
  worker: { format: "es" },
  resolve: {
    alias: { "csv-parse/sync": fileURLToPath(import.meta.resolve("csv-parse/browser/esm/sync")) },
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
  },
  server: { host: "127.0.0.1" },
});
