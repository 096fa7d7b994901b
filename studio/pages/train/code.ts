/** What repeats the current settings without this page: a program with the library, and a command. */
import { presets } from "../../library.js";
import { DRAWING, FILE, file } from "../../models/data.js";
import type { RateChange } from "../../models/training.js";
import { flowOptions, settings, type Variant } from "./settings.js";

/** The preset of the command line that has the same blocks and L2, or null. */
export function presetOf({ formulation, activation }: Variant): string | null {
  const own: Record<string, unknown> = flowOptions(formulation, activation);
  // Presets with another start of the networks are none of the page's.
  const same = (flow: object, l2: number) =>
    l2 === settings.l2.value &&
    !("closingStart" in flow) &&
    Object.entries({ actnorm: false, ...flow }).every(
      ([name, value]) => !(name in own) || own[name] === value,
    );
  return Object.entries(presets).find(([, { flow, training }]) => same(flow, training.l2))?.[0] ?? null;
}

/** The name of the reader's own table, or null for a toy density. */
function ownFile(): string | null {
  const data = settings.data.value;
  if (data === DRAWING) return "drawing.csv";
  return data === FILE ? (file.value?.name ?? "data.csv") : null;
}

/** Null where the command line has no preset for it. */
export function command(variant: Variant, threads: number): string | null {
  const preset = presetOf(variant);
  if (preset === null) return null;
  const own = ownFile();
  const columns =
    settings.data.value === FILE && file.value ? ` --columns ${quoted(file.value.columns.join(","))}` : "";
  return [
    `npx monotone-flows train --data ${quoted(own === null ? settings.data.value : `./${own}`)}${columns}`,
    `  --preset ${preset} --steps ${settings.steps.value} --batch ${settings.batch.value}`,
    `  --learning-rate ${settings.rate.value} --seed ${settings.seed.value} --threads ${threads}`,
  ].join(" \\\n");
}

const quoted = (text: string) => (/^[\w./,-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);

/** A TypeScript program. */
export function program(variant: Variant, schedule: readonly RateChange[]): string {
  const own = ownFile();
  const options = Object.entries(flowOptions(variant.formulation, variant.activation))
    .map(([name, value]) => `  ${name}: ${JSON.stringify(value)},`)
    .join("\n");
  const { steps, batch, seed, rate, l2 } = settings;
  // The first rate is that of the start; later ones stand in the schedule.
  const first = schedule.length > 0 ? rate.value / schedule[schedule.length - 1].factor : rate.value;
  const training = [
    `  steps: ${steps.value},`,
    `  batch: ${batch.value},`,
    `  seed: ${seed.value},`,
    `  learningRate: ${Number(first.toPrecision(12))},`,
    ...(schedule.length > 0 ? [`  schedule: ${JSON.stringify(schedule)},`] : []),
    `  l2: ${l2.value},`,
  ].join("\n");
  const columns =
    settings.data.value === FILE && file.value ? `, { columns: ${JSON.stringify(file.value.columns)} }` : "";
  const lines = own
    ? [
        'import { readFileSync } from "node:fs";',
        'import { dataSource, fit, Flow, monotoneFlow, parseCsv, saveFlow, tableJob } from "monotone-flows";',
        "",
        `const { table, names } = parseCsv(readFileSync(${JSON.stringify(own)}), ${JSON.stringify(own)}${columns});`,
        `const { job, standardisation } = tableJob(table, names, ${JSON.stringify(own)}, ${seed.value});`,
        "const data = await dataSource(job);",
      ]
    : [
        'import { fit, Flow, monotoneFlow, saveFlow, toySource } from "monotone-flows";',
        "",
        `const data = toySource(${JSON.stringify(settings.data.value)});`,
      ];
  return `${lines.join("\n")}
const declaration = monotoneFlow({
  dim: 2,
${options}${own ? "\n  standardisation," : ""}
});
const flow = await Flow.create(declaration, { seed: ${seed.value} });
await fit(flow, data, {
${training}
});
saveFlow(flow, "my-flow");
`;
}
