/** The settings of training, in three groups. */
import type { ComponentChildren } from "preact";
import { useMemo } from "preact/hooks";
import { Check, Choice, NumberField, Select, Slider } from "../../controls/fields.js";
import { FileButton } from "../../controls/file-button.js";
import { Notice } from "../../controls/notice.js";
import { columns, complaint, readColumns, reading, stopReading, table } from "../../models/csv.js";
import { DRAWING, FILE, file, toyNames } from "../../models/data.js";
import { take } from "../../models/incoming.js";
import { changeRate, session } from "./session.js";
import { ACTIVATIONS, cores, FORMULATIONS, settings } from "./settings.js";

const TITLES = {
  monotone: "Monotone",
  residual: "Residual",
  "inverse-residual": "Inverse residual",
} as const;

export function Controls() {
  return (
    <div class="settings">
      <section class="panel controls" aria-labelledby="settings-data">
        <h2 id="settings-data">Data</h2>
        <Select
          label="Density"
          value={settings.data}
          options={[
            ...toyNames,
            { value: DRAWING, label: "my own drawing" },
            { value: FILE, label: "my own CSV file" },
          ]}
        />
        {settings.data.value === FILE && <FileField />}
      </section>
      <Group title="Model">
        <Check
          label="Compare residual and monotone"
          hint="Same data, seed and number of steps: i-DenseNet (residual, CLipSwish) beside a Monotone Flow (CPila)"
          value={settings.compare}
        />
        {!settings.compare.value && (
          <>
            <Choice
              label="Formulation"
              value={settings.formulation}
              options={FORMULATIONS.map((value) => ({ value, label: TITLES[value] }))}
            />
            <Select label="Activation" value={settings.activation} options={ACTIVATIONS} />
          </>
        )}
        <div class="pair">
          <NumberField label="Blocks" value={settings.blocks} />
          <NumberField label="Depth" value={settings.depth} />
          <NumberField label="Growth" value={settings.growth} />
          <NumberField label="Seed" value={settings.seed} />
        </div>
        <Slider label="coeff: limit of the spectral norms" value={settings.coeff} />
        <Slider label="lip: limit of a concatenation" value={settings.lip} />
        <Check label="Actnorm after every block" value={settings.actnorm} />
      </Group>
      <Group title="Training">
        <LearningRate />
        <div class="pair">
          <NumberField label="Batch" value={settings.batch} />
          <NumberField label="Steps" value={settings.steps} />
          <NumberField label="L2" value={settings.l2} />
          <NumberField label="Threads" value={settings.threads} disabled={!crossOriginIsolated} />
        </div>
        <p class="note">
          {crossOriginIsolated
            ? `This page shares memory between threads; the browser has ${cores} ${cores === 1 ? "core" : "cores"}.`
            : "This page is not cross-origin isolated, so one thread trains. monotone-flows studio serves it with shared memory."}
        </p>
      </Group>
    </div>
  );
}

/** Open on wide screens; on narrow ones, where the settings stand above the pictures, the reader opens it. */
function Group({ title, children }: { title: string; children: ComponentChildren }) {
  const open = useMemo(() => matchMedia("(min-width: 60.01rem)").matches, []);
  return (
    <details class="panel" open={open}>
      <summary>
        <h2>{title}</h2>
      </summary>
      <div class="controls">{children}</div>
    </details>
  );
}

/** On a logarithmic scale; it may change while training goes on. */
function LearningRate() {
  const { rate } = settings;
  const shown = String(Number(rate.value.toPrecision(3)));
  return (
    <div class="field slider">
      <label for="learning-rate">Learning rate</label>
      <output for="learning-rate">{shown}</output>
      <input
        id="learning-rate"
        type="range"
        min={Math.log10(rate.limits.min)}
        max={Math.log10(rate.limits.max)}
        step={0.05}
        value={Math.log10(rate.value)}
        aria-valuetext={shown}
        onInput={(event) => {
          rate.value = Number((10 ** event.currentTarget.valueAsNumber).toPrecision(3));
          if (session.value) changeRate();
        }}
      />
      <small>Counts from the next step on, also while training runs</small>
    </div>
  );
}

function FileField() {
  const open = table.value;
  return (
    <>
      <FileButton accept=".csv,.tsv,.txt,.gz" label="CSV file" onFiles={(files) => void take(files)}>
        Choose a CSV file…
      </FileButton>
      {reading.value && (
        <Notice kind="info" action={{ label: "Stop", run: () => stopReading("The reading was stopped.") }}>
          {reading.value}…
        </Notice>
      )}
      {complaint.value && <Notice kind="error">{complaint.value}</Notice>}
      {open && (
        <div class="pair">
          {(["Horizontal", "Vertical"] as const).map((label, i) => (
            <Select
              key={label}
              label={label}
              value={columns[i]}
              options={open.columns.map(({ name, numeric }, j) => ({
                value: String(j + 1),
                label: numeric ? name : `${name} (text)`,
              }))}
              onChange={(column) => {
                columns[i].value = column;
                readColumns();
              }}
            />
          ))}
        </div>
      )}
      {file.value ? (
        <p class="note">
          {(file.value.values.length / 2).toLocaleString("en")} rows of {file.value.name}. A tenth is held out
          for testing.
        </p>
      ) : (
        !open && <p class="note">Or drop it anywhere on this page. It never leaves this browser.</p>
      )}
    </>
  );
}
