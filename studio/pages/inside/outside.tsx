/** The model from outside: its density, its samples, its loss. */
import { signal, useSignal } from "@preact/signals";
import { useEffect, useMemo } from "preact/hooks";
import { download } from "../../browser/download.js";
import { themeColour } from "../../browser/theme.js";
import { NumberField } from "../../controls/fields.js";
import { Missing } from "../../controls/missing.js";
import { Notice } from "../../controls/notice.js";
import { formatCsv, meanInWords, Table } from "../../library.js";
import { RESOLUTION } from "../../models/messages.js";
import type { Opened } from "../../models/opened.js";
import { drawDots } from "../../plots/dots.js";
import { Figure } from "../../plots/figure.js";
import { Plot } from "../../plots/plot.js";
import { Raster } from "../../plots/raster.js";
import type { Source } from "./source.js";

const count = signal(1_000);

export function Outside({ source, opened }: { source: Source; opened: Opened | null }) {
  const raster = useMemo(() => new Raster(RESOLUTION), []);
  const { pictures, extent, columns } = source;
  const result = useSignal<string | null>(null);
  const wrong = useSignal<string | null>(null);
  const busy = useSignal(false);
  useEffect(() => {
    result.value = wrong.value = null;
    // A model that is not trained has all the time of its worker.
    if (!source.training) pictures.share = 1;
  }, [source.key, pictures]);
  const work = (task: () => Promise<string | null>) => () => {
    busy.value = true;
    result.value = wrong.value = null;
    task()
      .then((text) => {
        result.value = text;
      })
      .catch((error: Error) => {
        wrong.value = error.message;
      })
      .finally(() => {
        busy.value = false;
      });
  };
  const test = work(async () => {
    if (!source.data) return null;
    const { job, seed, entropy } = source.data;
    const { testLoss, standardError, rows, failed } = await pictures.ask({ kind: "model", data: job, seed });
    const gap = entropy === null ? Number.NaN : testLoss - entropy;
    const above = Number.isFinite(gap) ? `, ${gap.toFixed(4)} above the entropy of the data` : "";
    if (failed) wrong.value = `${failed}.`;
    return `Test loss ${meanInWords(testLoss, standardError, "nats", rows)} on ${rows.toLocaleString("en")} samples${above}`;
  });
  const save = work(async () => {
    const { values, failed } = await pictures.ask({ kind: "samples", count: count.value, seed: 0 });
    const names = columns.length === 2 ? columns : ["x1", "x2"];
    download("samples.csv", formatCsv(new Table(values.length / 2, 2, values), names), "text/csv");
    if (failed) wrong.value = `${failed}; the file has the others.`;
    return null;
  });
  const [xmin, xmax, ymin, ymax] = extent;
  const [xLabel, yLabel] = columns[0] === "x1" ? ["x₁", "x₂"] : columns;
  const axes = { x: [xmin, xmax] as const, y: [ymin, ymax] as const, xLabel, yLabel };
  return (
    <section class="outside" aria-labelledby="outside">
      <h2 id="outside">From outside</h2>
      {opened?.uncertified && <Notice kind="warning">{opened.uncertified}</Notice>}
      <Missing pictures={pictures} />
      {opened && (
        <p class="muted">
          {opened.parameters.toLocaleString("en")} parameters
          {opened.steps === null ? "" : `, ${opened.steps.toLocaleString("en")} steps`}
          {opened.data ? "" : "; the files do not say what it was trained on, so it cannot be tested here"}
        </p>
      )}
      <div class="figures two">
        <Figure level={3} title="Density" file={`${source.key}-density`}>
          <Plot
            label="The density of the model"
            {...axes}
            draw={(context, scales) => {
              pictures.densityFrame.value;
              const { shown, most } = pictures.density;
              raster.paint(context, shown, most || 1, scales);
            }}
          />
        </Figure>
        <Figure level={3} title="Samples" file={`${source.key}-samples`}>
          <Plot
            label="Samples of the model"
            {...axes}
            draw={(context, scales) => {
              pictures.pointsFrame.value;
              drawDots(context, scales, pictures.points.shown, themeColour("--series-1"), 2.5);
            }}
          />
        </Figure>
      </div>
      <div class="buttons end">
        {source.data && (
          <button type="button" onClick={test} disabled={busy.value}>
            Test it
          </button>
        )}
        <button type="button" onClick={save} disabled={busy.value}>
          Samples as CSV
        </button>
        <div class="narrow">
          <NumberField label="Number of samples" value={count} limits={{ min: 1, max: 1_000_000, step: 1 }} />
        </div>
      </div>
      <p role="status" data-testid="tested">
        {busy.value ? "Working…" : result.value}
      </p>
      {wrong.value && <Notice kind="error">{wrong.value}</Notice>}
    </section>
  );
}
