/** The program of the ranks that map rows beside rank 0. */
import { importModules } from "../bijections/index.js";
import { WasmEngine } from "../engine/wasm/engine.js";
import type { FlowDeclaration } from "../flows/declaration.js";
import { Flow } from "../flows/flow.js";
import type { MapOptions } from "../flows/flow-maps.js";
import { mapPieces, type RowMap, type SharedRows } from "./shared-rows.js";
import { serve } from "./start.js";

/** First the flow is built; then come its parameters, before every table; then rows to map. */
export type MapTask =
  | {
      kind: "build";
      declaration: FlowDeclaration;
      /** Of bijections that the package does not know. */
      modules: readonly string[];
      capacity: number;
      relaxed: boolean;
      shared: SharedRows;
    }
  | { kind: "load"; parameters: ReadonlyMap<string, Float64Array> }
  | { kind: "map"; map: RowMap; count: number; options: MapOptions };

let flow: Flow;
let shared: SharedRows;

serve(async (task: MapTask) => {
  if (task.kind === "build") {
    const engine = await WasmEngine.create({ relaxed: task.relaxed });
    await importModules(task.modules);
    flow = await Flow.blank(task.declaration, { engine, capacity: task.capacity });
    shared = task.shared;
  } else if (task.kind === "load") {
    flow.parameters.load(task.parameters, "rank 0");
    flow.prepare();
  } else await mapPieces(flow, shared, task.map, task.count, task.options);
});
