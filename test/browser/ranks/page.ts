/** What the tests call in the page: training and mapping with ranks, through the public surface. */
import {
  Flow,
  type RankMaps,
  type RankProgram,
  type TrainingJob,
  toySource,
  train,
  withRanks,
} from "../../../src/browser.js";

/** Ranks that die, in the way that their name says. */
const dying = {
  throws: program(
    () => new Worker(new URL("./dying-worker.ts", import.meta.url), { type: "module", name: "throws" }),
  ),
  "closes itself": program(
    () =>
      new Worker(new URL("./dying-worker.ts", import.meta.url), { type: "module", name: "closes itself" }),
  ),
  "is not there": program(() => new Worker("/nowhere.js", { type: "module" })),
};

function program(web: () => Worker): RankProgram {
  return {
    web,
    node() {
      throw new Error("this program is for browsers");
    },
  };
}

/** The losses of all steps, why there were fewer ranks than asked for, and how often the page had its turn. */
async function trainLosses(job: TrainingJob, ranks: number) {
  const losses: number[] = [];
  let turns = 0;
  const timer = setInterval(() => turns++, 1);
  const { remark } = await train(job, ranks, {
    onStep: (_, { loss }) => {
      losses.push(loss);
    },
  });
  clearInterval(timer);
  return { losses, remark, turns };
}

/** Whether ranks give the bits of a flow that works alone. */
async function mapRows(job: TrainingJob, ranks: number) {
  const flow = await Flow.create(job.declaration);
  const rows = toySource("2spirals").test(0, 3_000);
  const own = await flow.logProb(rows);
  const work = async (maps: RankMaps) => {
    const shared = await maps.logProb(rows);
    return { ranks: maps.ranks, same: shared.every((value, i) => value === own[i]) };
  };
  return await withRanks(flow, work, { ranks, patience: 0 });
}

/** The error that ends training when a rank dies in that way. */
async function deathOf(job: TrainingJob, death: keyof typeof dying): Promise<string> {
  const endless = { ...job, options: { ...job.options, steps: 1_000_000 } };
  return await train(endless, 2, {}, dying[death]).then(
    () => "no error",
    (error: Error) => error.message,
  );
}

/** What a browser without Atomics.waitAsync has. */
function forgetWaitAsync(): void {
  Object.assign(Atomics, { waitAsync: undefined });
}

const calls = { trainLosses, mapRows, deathOf, forgetWaitAsync };
export type Calls = typeof calls;
Object.assign(globalThis, { calls });
