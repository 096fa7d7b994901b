/** What the reader takes home: model, samples, data, link, code. */
import { signal, useSignal } from "@preact/signals";
import { download } from "../../browser/download.js";
import { NumberField } from "../../controls/fields.js";
import { Notice } from "../../controls/notice.js";
import { formatCsv, meanInWords, Table } from "../../library.js";
import { ownCsv, runFolder } from "../../models/run-folder.js";
import { command, presetOf, program } from "./code.js";
import { type Model, session, threadsEach } from "./session.js";
import { settings, variants } from "./settings.js";

const count = signal(1_000);

/** `2spirals-monotone`, as the command line would name it. */
const nameOf = (title: string, { variant }: Pick<Model, "variant">) =>
  `${title}-${presetOf(variant) ?? variant.formulation}`.replace(/[^\w.-]+/g, "-");

export function TakeAway() {
  const now = session.value;
  /** What is being prepared, what went wrong, what was saved. */
  const busy = useSignal<string | null>(null);
  const wrong = useSignal<string | null>(null);
  const saved = useSignal<string | null>(null);
  const work = (what: string, task: () => Promise<string | null>) => () => {
    busy.value = what;
    wrong.value = saved.value = null;
    task()
      .then((text) => {
        saved.value = text;
      })
      .catch((error: Error) => {
        wrong.value = error.message;
      })
      .finally(() => {
        busy.value = null;
      });
  };
  const saveModel = (model: Model) =>
    work("Testing the model on 10,000 samples", async () => {
      if (!now) return null;
      const { data } = now;
      const { training } = model;
      const { job } = training;
      const result = await training.pictures.ask({ kind: "model", data: data.job, seed: job.options.seed });
      const name = nameOf(data.title, model);
      const preset = presetOf(model.variant) ?? "studio";
      const zip = runFolder({ name, preset, data, training, model: result });
      download(`${name}.zip`, zip, "application/zip");
      const loss = meanInWords(result.testLoss, result.standardError, "nats", result.rows);
      if (result.failed) wrong.value = `${result.failed}.`;
      return `Step ${result.step}, test loss ${loss}. Unpack it, then: npx monotone-flows evaluate ${name}`;
    });
  const saveSamples = (model: Model) =>
    work("Drawing samples", async () => {
      if (!now) return null;
      const { pictures } = model.training;
      const { values, failed } = await pictures.ask({ kind: "samples", count: count.value, seed: 0 });
      const table = new Table(values.length / 2, 2, values);
      download(
        `${nameOf(now.data.title, model)}-samples.csv`,
        formatCsv(table, now.data.columns),
        "text/csv",
      );
      if (failed) wrong.value = `${failed}; the file has the others.`;
      return null;
    });
  const ready = (model: Model) => model.training.ranks.value !== null;
  return (
    <section class="take-away" aria-labelledby="take-away">
      <h2 id="take-away">Take away</h2>
      {!now && <p class="muted">The model and its samples can be saved once training has begun.</p>}
      <div class="take-away-rows">
        {now?.models.map((model) => (
          <div key={model.variant.title} class="buttons">
            {now.models.length > 1 && <strong>{model.variant.title}</strong>}
            <button type="button" onClick={saveModel(model)} disabled={!ready(model) || busy.value !== null}>
              Model
            </button>
            <button
              type="button"
              onClick={saveSamples(model)}
              disabled={!ready(model) || busy.value !== null}
            >
              Samples as CSV
            </button>
          </div>
        ))}
        <div class="buttons">
          {now && (
            <div class="narrow">
              <NumberField
                label="Number of samples"
                value={count}
                limits={{ min: 1, max: 1_000_000, step: 1 }}
              />
            </div>
          )}
          {now?.data.own && (
            <button
              type="button"
              onClick={() => now.data.own && download(now.data.own.name, ownCsv(now.data.own), "text/csv")}
            >
              Data as CSV
            </button>
          )}
          <Copy label="Copy a link to these settings" text={() => location.href} />
        </div>
      </div>
      <div role="status">
        {busy.value && <p class="muted">{busy.value}…</p>}
        {saved.value && <p data-testid="saved">{saved.value}</p>}
      </div>
      {wrong.value && <Notice kind="error">{wrong.value}</Notice>}
      <Code />
    </section>
  );
}

function Code() {
  return (
    <details class="code">
      <summary>The code that repeats these settings</summary>
      {(session.value?.models ?? variants().map((variant) => ({ variant, training: null }))).map(
        ({ variant, training }) => {
          const line = command(variant, training?.threads ?? threadsEach());
          const text = program(variant, training?.schedule ?? []);
          return (
            <div key={variant.title} class="code-blocks">
              <h3>{variant.title}</h3>
              {line && !training?.schedule.length ? (
                <Listing text={line} label={`Command for ${variant.title}`} />
              ) : (
                <p class="note">
                  The command line's presets have other settings than these: the program below repeats them.
                </p>
              )}
              <Listing text={text} label={`Program for ${variant.title}`} />
            </div>
          );
        },
      )}
      <p class="note">
        With the same number of threads the command takes the same {settings.steps.value.toLocaleString("en")}{" "}
        steps, to the last bit.
      </p>
    </details>
  );
}

function Listing({ text, label }: { text: string; label: string }) {
  return (
    <div class="listing">
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by keyboard. */}
      <section class="listing-text" tabIndex={0} aria-label={label}>
        <pre>
          <code>{text}</code>
        </pre>
      </section>
      <Copy label="Copy" text={() => text} />
    </div>
  );
}

function Copy({ label, text }: { label: string; text: () => string }) {
  const said = useSignal<string | null>(null);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text());
      said.value = "Copied";
    } catch {
      said.value = "The browser does not allow copying here";
    }
    setTimeout(() => {
      said.value = null;
    }, 2_000);
  };
  return (
    <button type="button" onClick={() => void copy()}>
      {said.value ?? label}
    </button>
  );
}
