import { z } from "zod";
import { option } from "../options.js";

export const threads = option(z.number().int().positive().max(256), "ranks that share the work", {
  usual: [1, 64],
  absent: "one a core",
});
