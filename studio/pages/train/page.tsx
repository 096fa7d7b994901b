/** Train live: data, model and optimiser are chosen, and the flow learns before the reader's eyes. */
import { useComputed } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { Missing } from "../../controls/missing.js";
import { Notice } from "../../controls/notice.js";
import { type Data, DRAWING, prepare } from "../../models/data.js";
import { Controls } from "./controls.js";
import { DrawField } from "./draw-field.js";
import { DataFigure, DensityFigure, FirstPicture, SamplesFigure } from "./figures.js";
import { LossFigure } from "./loss-figure.js";
import { type Model, session } from "./session.js";
import { settings, variants } from "./settings.js";
import { TakeAway } from "./take-away.js";
import { Toolbar } from "./toolbar.js";

export default function Train() {
  return (
    <article class="page">
      <header class="page-head">
        <h1>Train live</h1>
        <p class="lead">
          A flow learns a density in this browser, with the kernels of the command line. Choose a density,
          draw one, or drop a CSV file, and press Train.
        </p>
      </header>
      <div class="workshop">
        <div class="work">
          <Toolbar />
          <Pictures />
          <TakeAway />
        </div>
        <aside aria-label="Settings">
          <Controls />
        </aside>
      </div>
    </article>
  );
}

/** The data that is chosen, or why there is none. */
function chosen(): Data | string {
  try {
    return prepare(settings.data.value, settings.seed.value);
  } catch (error) {
    return (error as Error).message;
  }
}

function Pictures() {
  const preview = useComputed(chosen);
  const now = session.value;
  const drawing = settings.data.value === DRAWING;
  const data = now?.data ?? preview.value;
  if (typeof data === "string") {
    return (
      <Grid>
        {drawing && <DrawField />}
        <Notice kind="info">{data}</Notice>
      </Grid>
    );
  }
  const first =
    drawing && (!now || now.data.own?.name === "drawing.csv") ? <DrawField /> : <DataFigure data={data} />;
  const models = now?.models ?? variants().map((variant) => ({ variant, training: null }));
  const pair = models.length > 1;
  const density = ({
    variant,
    training,
  }: {
    variant: Model["variant"];
    training: Model["training"] | null;
  }) => (
    <DensityFigure
      key={`density ${variant.title}`}
      title={pair ? `${variant.title} density` : "Learned density"}
      file={`${data.title}-${variant.formulation}-density`}
      data={data}
      pictures={training?.pictures ?? null}
    />
  );
  const samples = ({
    variant,
    training,
  }: {
    variant: Model["variant"];
    training: Model["training"] | null;
  }) => (
    <SamplesFigure
      key={`samples ${variant.title}`}
      title={pair ? `${variant.title} samples` : "Samples"}
      file={`${data.title}-${variant.formulation}-samples`}
      data={data}
      pictures={training?.pictures ?? null}
      series={variant.series}
    />
  );
  const loss = <LossFigure entropy={data.entropy} file={`${data.title}-loss`} />;
  return (
    <>
      <Grid>
        {first}
        {models.map(density)}
        {pair && loss}
        {models.map(samples)}
      </Grid>
      {!pair && <div class="wide-figure">{loss}</div>}
      {now?.models.map(({ variant, training }) => (
        <Missing key={variant.title} pictures={training.pictures} />
      ))}
      {now && <FirstPicture pictures={now.models[0].training.pictures} />}
    </>
  );
}

const Grid = ({ children }: { children: ComponentChildren }) => <div class="picture-grid">{children}</div>;
