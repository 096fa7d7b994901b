/** A flow's maps on several ranks: densities, samples and latents on all cores. */
import { z } from "zod";
import { modulesOf } from "../bijections/index.js";
import { WasmEngine } from "../engine/wasm/engine.js";
import { check } from "../errors.js";
import { FailedRows } from "../flows/failed-rows.js";
import type { Flow } from "../flows/flow.js";
import {
  type FlowMaps,
  type MapOptions,
  mapSchema,
  type SampleOptions,
  sampleSchema,
} from "../flows/flow-maps.js";
import { checkedSamples, checkedSize, type Samples } from "../flows/samples.js";
import { resolved } from "../options.js";
import { Table } from "../table.js";
import { Turns } from "../turn.js";
import type { MapTask } from "./map-program.js";
import { threads } from "./options.js";
import { RankWorkers } from "./rank-workers.js";
import {
  from,
  type MappedRows,
  mapPieces,
  mapRows,
  pieceRows,
  putRows,
  type RowMap,
  type SharedRows,
  sharedRows,
  stopPieces,
  takeRows,
} from "./shared-rows.js";
import { cores, possibleRanks } from "./start.js";
import type { RankProgram } from "./worker.js";

/** Milliseconds of work left from which it pays to start workers: about twice what starting one takes. */
const PATIENCE_MS = 400;
const schema = z.strictObject({
  ranks: threads.optional(),
  patience: z
    .custom<number>((value) => typeof value === "number" && value >= 0, "it must be a number from 0 on")
    .default(PATIENCE_MS),
  program: z.custom<RankProgram>().optional(),
});

/** Points where the map gives them, and a number a row. */
interface MappedTable {
  points: Table;
  numbers: Float64Array;
}

const mapProgram: RankProgram = {
  node: () => new URL(/* @vite-ignore */ "./map-program.js", import.meta.url),
  web: () => new Worker(new URL("./map-program.js", import.meta.url), { type: "module" }),
};

/** The same for workers that are there already. */
const WAKING_MS = 10;

/** How many ranks share the maps, and when their workers are started. */
export interface RankMapsOptions {
  /** Default: one a core. */
  ranks?: number;
  /** Workers are started when more than so many milliseconds of work are left (default 400). */
  patience?: number;
  /** The program of the workers, for bundlers that cannot find the default one. */
  program?: RankProgram;
}

/**
 * A flow's maps on several ranks. `forward`, `inverse`, `logProb` and `sample` give what those of the flow, as it is
 * at the time of the call, give: bit for bit, for any number of ranks. Workers are started when a table is large
 * enough to pay for it, and live until `close`.
 */
export class RankMaps implements FlowMaps {
  readonly dim: number;
  /** The number of ranks, the calling thread among them. */
  readonly ranks: number;
  /** Why there are fewer ranks than were asked for; null if there are not. */
  readonly remark: string | null;
  readonly #flow: Flow;
  readonly #patience: number;
  readonly #program: RankProgram;
  /** The workers that are there, and the memory that they share with rank 0. */
  #launched: { workers: RankWorkers; shared: SharedRows } | null = null;

  /** Throws a `usage` error if the flow is not on a WebAssembly engine, or the number of ranks is not a positive integer. */
  static async create(flow: Flow, options: RankMapsOptions = {}): Promise<RankMaps> {
    const given = resolved(schema, options, "RankMaps.create");
    return new RankMaps(flow, given, given.ranks ?? (await cores()));
  }

  private constructor(flow: Flow, options: z.output<typeof schema>, wanted: number) {
    check(flow.engine instanceof WasmEngine, "usage", "ranks need a flow on the WebAssembly engine");
    const { ranks, remark } = possibleRanks(wanted);
    this.ranks = ranks;
    this.remark = remark;
    this.#flow = flow;
    this.dim = flow.dim;
    this.#patience = options.patience;
    this.#program = options.program ?? mapProgram;
  }

  /** As `Flow.forward`. Throws an `internal` error if a rank dies. */
  async forward(x: Samples, options: MapOptions = {}): Promise<{ z: Table; logDet: Float64Array }> {
    const { points, numbers } = await this.#map("forward", x, options);
    return { z: points, logDet: numbers };
  }

  /** As `Flow.inverse`. Throws an `internal` error if a rank dies. */
  async inverse(z: Samples, options: MapOptions = {}): Promise<{ x: Table; logDet: Float64Array }> {
    const { points, numbers } = await this.#map("inverse", z, options);
    return { x: points, logDet: numbers };
  }

  /** As `Flow.logProb`. Throws an `internal` error if a rank dies. */
  async logProb(x: Samples, options: MapOptions = {}): Promise<Float64Array> {
    return (await this.#map("logProb", x, options)).numbers;
  }

  /** As `Flow.sample`. Throws an `internal` error if a rank dies. */
  async sample(count: number, options: SampleOptions = {}): Promise<Table> {
    const { seed, ...rest } = resolved(sampleSchema, options, "sample");
    checkedSize(count);
    const latents = () => this.#flow.latents(count, seed);
    return (await this.#mapInTurn("inverse", latents, { logDet: false, ...rest })).points;
  }

  /** Ends the workers; a later call starts new ones. */
  async close(): Promise<void> {
    const launched = this.#launched;
    this.#launched = null;
    await launched?.workers.terminate();
  }

  async #map(map: RowMap, samples: Samples, options: MapOptions): Promise<MappedTable> {
    const input = checkedSamples(samples, this.#flow.dim, map === "inverse" ? "latents" : "data");
    return await this.#mapInTurn(map, () => input, resolved(mapSchema, options, map));
  }

  /** The flow is nobody else's until all rows are mapped: they are of the same weights. */
  #mapInTurn(map: RowMap, input: () => Table, { signal, ...options }: MapOptions): Promise<MappedTable> {
    return this.#flow.inTurn(() => this.#mapTable(map, input(), options), signal);
  }

  async #mapTable(map: RowMap, input: Table, { failures, ...options }: MapOptions): Promise<MappedTable> {
    const { rows, columns } = input;
    const failed = failures ?? new FailedRows();
    failed.rows += rows;
    const points = new Table(map === "logProb" ? 0 : rows, columns);
    const numbers = new Float64Array(rows);
    const keep = (start: number, mapped: MappedRows) => {
      if (mapped.points) points.values.set(mapped.points.values, start * columns);
      numbers.set(mapped.numbers, start);
      mapped.failed.forEach((place, i) => {
        if (place > 0) failed.add((options.first ?? 0) + start + i, place - 1);
      });
    };
    const turns = new Turns();
    const piece = pieceRows(this.#flow);
    let fastest = Number.POSITIVE_INFINITY;
    for (let start = 0; start < rows; start += piece) {
      // The first piece is no measure: its code was still being compiled.
      const left = start > piece ? (fastest * (rows - start)) / piece : 0;
      if (this.ranks > 1 && left > (this.#launched ? WAKING_MS : this.#patience)) {
        await this.#mapTogether(map, input.slice(start), from(options, start), (first, mapped) =>
          keep(start + first, mapped),
        );
        break;
      }
      const began = performance.now();
      const end = Math.min(start + piece, rows);
      keep(start, await mapRows(this.#flow, map, input.slice(start, end), from(options, start)));
      fastest = Math.min(fastest, performance.now() - began);
      await turns.give();
    }
    if (!failures) failed.check();
    return { points, numbers };
  }

  /** All ranks on all rows, as many at a time as the shared memory holds. */
  async #mapTogether(
    map: RowMap,
    input: Table,
    options: MapOptions,
    keep: (start: number, mapped: MappedRows) => void,
  ): Promise<void> {
    try {
      this.#launched ??= await this.#launch();
      const { workers, shared } = this.#launched;
      const parameters = new Map(this.#flow.parameters.list.map(({ name, values }) => [name, values]));
      void workers.run((): MapTask => ({ kind: "load", parameters }));
      for (let start = 0; start < input.rows; start += shared.rows) {
        const rows = input.slice(start, Math.min(start + shared.rows, input.rows));
        putRows(shared, rows);
        const own = from(options, start);
        const others = workers.run((): MapTask => ({ kind: "map", map, count: rows.rows, options: own }));
        others.catch(() => stopPieces(shared));
        const turns = new Turns();
        await mapPieces(this.#flow, shared, map, rows.rows, own, () => turns.give());
        await others;
        keep(start, takeRows(shared, map, rows.rows));
      }
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  async #launch(): Promise<{ workers: RankWorkers; shared: SharedRows }> {
    const { declaration, capacity, engine } = this.#flow;
    const modules = modulesOf(declaration.bijections);
    const workers = await RankWorkers.launch(this.#program, this.ranks);
    const shared = sharedRows(this.#flow, this.ranks);
    const { relaxed } = engine as WasmEngine;
    void workers.run((): MapTask => ({ kind: "build", declaration, modules, capacity, relaxed, shared }));
    return { workers, shared };
  }
}

/**
 * Calls `work` with a flow's maps on several ranks (default: one a core), and ends their workers when it is done:
 * `await withRanks(flow, (maps) => maps.logProb(table))`.
 */
export async function withRanks<Result>(
  flow: Flow,
  work: (maps: RankMaps) => Promise<Result>,
  options: RankMapsOptions = {},
): Promise<Result> {
  const maps = await RankMaps.create(flow, options);
  try {
    return await work(maps);
  } finally {
    await maps.close();
  }
}
