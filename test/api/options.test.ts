/**
 * Options are defined by schemas; the interfaces that stand for them, with their docstrings, are written from those.
 * After a schema has changed `npx vitest run -u test/api/options.test.ts` writes them anew.
 */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import type { z } from "zod";
import { imageFlowSchema } from "../../src/flows/image-flow.js";
import { flowSchema } from "../../src/flows/monotone-flow.js";
import { estimatorSchema } from "../../src/logdet/estimator.js";
import { networkSchema } from "../../src/networks/declaration.js";
import { fitSchema, trainingSchema } from "../../src/training/options.js";
import { withMembers } from "../support/option-docs.js";

const WRITTEN: Record<string, Record<string, z.ZodObject>> = {
  "src/networks/declaration.ts": { NetworkDeclaration: networkSchema },
  "src/logdet/estimator.ts": { Estimator: estimatorSchema },
  "src/training/options.ts": { TrainingOptions: trainingSchema, FitTraining: fitSchema },
  "src/flows/monotone-flow.ts": { FlowOptions: flowSchema },
  "src/flows/image-flow.ts": { ImageFlowOptions: imageFlowSchema },
};

describe("options", () => {
  it.each(Object.entries(WRITTEN))("%s has the docstrings of its schemas", async (file, interfaces) => {
    const path = fileURLToPath(new URL(`../../${file}`, import.meta.url));
    const written = Object.entries(interfaces).reduce(
      (text, [name, schema]) => withMembers(text, name, schema),
      readFileSync(path, "utf8"),
    );
    await expect(written).toMatchFileSnapshot(path);
  });
});
