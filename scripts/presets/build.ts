/** Writes docs/presets.md: `npx tsx scripts/presets/build.ts`, after a change of a preset. */
import { writeFileSync } from "node:fs";
import { page } from "./page.js";

writeFileSync(new URL("../../docs/presets.md", import.meta.url), page());
