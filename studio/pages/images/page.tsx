/** Sample images: a sheet of draws from a model of images, in a worker. */
import { signal, useComputed, useSignalEffect } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { download } from "../../browser/download.js";
import { addressSettings, choice, number } from "../../browser/settings.js";
import { NumberField, Slider } from "../../controls/fields.js";
import { Formula } from "../../controls/formula.js";
import { ModelBar } from "../../controls/model-bar.js";
import { Notice } from "../../controls/notice.js";
import { WorkerFailure } from "../../controls/worker-failure.js";
import { fitSchema, formatCsv, Table } from "../../library.js";
import { type ImageModel, imageModel, openedImages } from "../../models/image-model.js";
import { fetchModel } from "../../models/model-files.js";
import { optionSetting } from "../../models/option-setting.js";
import { useWorker } from "../../models/use-worker.js";
import { Figure } from "../../plots/figure.js";
import { ImageSheet } from "../../plots/image-sheet.js";
import type { ImagesNews, ImagesOrder } from "./messages.js";
import { begin, hear, type Sheet, sheet, started } from "./sheet.js";

const settings = addressSettings("images", {
  model: choice("digits", ["digits", "opened"]),
  count: number(64, { min: 1, max: 400, step: 1 }),
  seed: optionSetting(fitSchema.shape.seed, 0),
  temperature: number(1, { min: 0, max: 1.5, step: 0.05 }),
});

const digits = signal<ImageModel | null>(null);
const failure = signal<string | null>(null);

async function fetchDigits(): Promise<void> {
  failure.value = null;
  try {
    digits.value ??= imageModel(await fetchModel("digits"), "digits");
  } catch (error) {
    failure.value = `The model of the digits could not be loaded: ${(error as Error).message}`;
  }
}

/** The model that is asked for; while nothing was opened, the one that comes along. */
const chosen = () => (settings.model.value === "opened" ? openedImages.value : null) ?? digits.value;

export default function Images() {
  const link = useWorker<ImagesOrder, ImagesNews>(
    () => new Worker(new URL("./worker.ts", import.meta.url), { type: "module" }),
    hear,
    started,
  );
  useEffect(() => {
    // What was opened needs no megabyte of another model.
    if (settings.model.peek() === "digits" || openedImages.peek() === null) void fetchDigits();
  }, []);
  useSignalEffect(() => {
    const model = chosen();
    const { count, seed, temperature } = settings;
    const wish = { count: count.value, seed: seed.value, temperature: temperature.value };
    if (model) begin({ model, ...wish }, link);
  });
  const shown = useComputed(() => (openedImages.value ? settings.model.value : "digits"));
  const now = sheet.value;
  const options = [{ value: "digits", label: "Digits, 8 × 8" }];
  if (openedImages.value) options.push({ value: "opened", label: `Opened: ${openedImages.value.title}` });
  return (
    <article class="page">
      <header class="page-head">
        <h1>Sample images</h1>
        <p class="lead">
          The same blocks with convolutions learn images. Each image here is a draw from the normal density,
          carried through the inverse of the flow in this browser.
        </p>
      </header>
      <ModelBar
        shown={shown}
        options={options}
        onChange={(model) => {
          settings.model.value = model as typeof settings.model.value;
          if (model === "digits") void fetchDigits();
        }}
      />
      {failure.value && <Notice kind="error">{failure.value}</Notice>}
      {now?.uncertified && <Notice kind="warning">{now.uncertified}</Notice>}
      {now && now.failed > 0 && (
        <Notice kind="warning">
          {`${now.failed} of ${now.done} images could not be computed, and are left grey: the solver missed its tolerance, or the result is not a number.`}
        </Notice>
      )}
      <WorkerFailure link={link} />
      <div class="bench">
        {now ? (
          <Samples now={now} />
        ) : (
          <p class="muted">{failure.value ? "" : "The model is being fetched…"}</p>
        )}
        <div class="panel controls">
          <div class="buttons">
            <button
              type="button"
              class="primary"
              onClick={() => {
                settings.seed.value++;
              }}
            >
              Draw others
            </button>
            <button
              type="button"
              onClick={() => now && save(now)}
              disabled={!now || now.done < now.wish.count}
            >
              Pixels as CSV
            </button>
          </div>
          <Slider
            label="Temperature"
            value={settings.temperature}
            format={(value) => value.toFixed(2)}
            hint="Latents are multiplied by this: below 1, images are cleaner and more alike"
          />
          <NumberField label="Images" value={settings.count} />
          <NumberField
            label="Seed"
            value={settings.seed}
            hint="With this seed, and at temperature 1, the command line draws the same images"
          />
          {now && <Facts now={now} />}
        </div>
      </div>
      <section class="prose">
        <h2>How an image is drawn</h2>
        <p>
          A latent <Formula tex="z \sim \mathcal{N}(0, \mathrm{Id})" /> has a number for every pixel. The
          blocks are inverted one after the other, the last first, each by a fixed-point iteration with
          Anderson's acceleration; what comes out is rounded down to the grey levels of the data.
        </p>
        <p>
          The digits were learned from 1,500 images in 500 steps, within a minute on two cores:{" "}
          <code>npx monotone-flows train --data digits --seed 1</code>
        </p>
      </section>
    </article>
  );
}

function Samples({ now: { wish, done, pixels } }: { now: Sheet }) {
  const { image, title } = wish.model;
  return (
    <Figure
      title={`Samples of ${title}`}
      file={`${title}-samples-${wish.seed}`}
      caption={
        <span data-testid="drawn">
          {done < wish.count
            ? `${done} of ${wish.count} drawn…`
            : `${done} images of ${image.width} × ${image.height} pixels`}
        </span>
      }
    >
      <ImageSheet
        label={`${wish.count} samples of ${title}`}
        images={pixels}
        shape={image}
        levels={image.levels}
        columns={Math.ceil(Math.sqrt(wish.count))}
      />
    </Figure>
  );
}

function Facts({ now: { wish, parameters, steps } }: { now: Sheet }) {
  const { image } = wish.model;
  return (
    <p class="note">
      {parameters === null ? "The model is being opened…" : `${parameters.toLocaleString("en")} parameters`}
      {steps === null ? "" : `, ${steps.toLocaleString("en")} steps`}, {image.levels} levels
    </p>
  );
}

function save({ wish, pixels }: Sheet): void {
  const { image, title } = wish.model;
  const columns = image.channels * image.height * image.width;
  const sheet = new Table(wish.count, columns, pixels);
  // Those that have failed have no pixels.
  const rows = sheet.toArray().filter((row) => row.every(Number.isFinite));
  const names = Array.from({ length: columns }, (_, i) => `pixel ${i + 1}`);
  download(
    `${title}-samples-${wish.seed}.csv`,
    formatCsv(rows.length > 0 ? Table.from(rows) : new Table(0, columns), names),
    "text/csv",
  );
}
