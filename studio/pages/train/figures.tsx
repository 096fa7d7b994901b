/** The pictures of training: data, learned density, samples. */
import { useComputed } from "@preact/signals";
import { useMemo } from "preact/hooks";
import { themeColour } from "../../browser/theme.js";
import type { Data } from "../../models/data.js";
import { RESOLUTION } from "../../models/messages.js";
import type { Pictures } from "../../models/pictures.js";
import { truth } from "../../models/truth.js";
import { drawDots } from "../../plots/dots.js";
import { Figure } from "../../plots/figure.js";
import { Plot, type Scales } from "../../plots/plot.js";
import { Raster } from "../../plots/raster.js";

export function axesOf(data: Data) {
  const [xmin, xmax, ymin, ymax] = data.extent;
  const [xLabel, yLabel] = data.density || data.columns[0] === "x1" ? ["x₁", "x₂"] : data.columns;
  return { x: [xmin, xmax] as const, y: [ymin, ymax] as const, xLabel, yLabel };
}

/** The value that is the brightest colour: that of the true density, or else a mean of what has been learned so far. */
function brightest(data: Data, pictures: Pictures): number {
  if (data.density) {
    const known = truth(data.density.name).value;
    if (known) return known.most;
  }
  return pictures.density.most || 1;
}

export function DataFigure({ data }: { data: Data }) {
  const raster = useMemo(() => new Raster(RESOLUTION), []);
  const { density } = data;
  return (
    <Figure
      title={density ? "True density" : "Data"}
      file={`${data.title}-data`}
      caption={
        density
          ? `${data.title}, entropy ${data.entropy?.toFixed(3)} nats: no model's loss is below it`
          : `${((data.own?.values.length ?? 0) / 2).toLocaleString("en")} rows of ${data.title}`
      }
    >
      <Plot
        label={density ? `The density ${data.title}` : `Points of ${data.title}`}
        {...axesOf(data)}
        draw={(context, scales) => {
          if (!density) {
            drawDots(context, scales, data.points, themeColour("--series-6"));
            return;
          }
          const picture = truth(density.name).value;
          if (picture) raster.paint(context, picture.values, picture.most, scales);
          else drawNothing(context, scales, "Being drawn…");
        }}
      />
    </Figure>
  );
}

interface ModelFigure {
  title: string;
  file: string;
  data: Data;
  pictures: Pictures | null;
}

export function DensityFigure({ title, file, data, pictures }: ModelFigure) {
  const raster = useMemo(() => new Raster(RESOLUTION), []);
  return (
    <Figure title={title} file={file} caption="Brighter where the model finds points more likely">
      <Plot
        label={`The density that the model has learned of ${data.title}`}
        {...axesOf(data)}
        draw={(context, scales) => {
          if (!pictures) {
            drawNothing(context, scales, "Press Train");
            return;
          }
          // Read so that every frame is painted.
          pictures.densityFrame.value;
          raster.paint(context, pictures.density.shown, brightest(data, pictures), scales);
        }}
      />
    </Figure>
  );
}

export function SamplesFigure({ title, file, data, pictures, series }: ModelFigure & { series: 1 | 2 }) {
  return (
    <Figure title={title} file={file} caption="The same latents at every step, so the points move">
      <Plot
        label={`Samples of the model of ${data.title}`}
        {...axesOf(data)}
        draw={(context, scales) => {
          if (!pictures) {
            drawNothing(context, scales, "Press Train");
            return;
          }
          pictures.pointsFrame.value;
          drawDots(context, scales, pictures.points.shown, themeColour(`--series-${series}`), 2.5);
        }}
      />
    </Figure>
  );
}

function drawNothing(context: CanvasRenderingContext2D, { width, height }: Scales, text: string): void {
  context.fillStyle = themeColour("--sunken");
  context.fillRect(0, 0, width, height);
  context.fillStyle = themeColour("--muted");
  context.font = "15px system-ui, sans-serif";
  context.textAlign = "center";
  context.fillText(text, width / 2, height / 2);
}

/** How long the first picture took: what the page is held to. */
export function FirstPicture({ pictures }: { pictures: Pictures }) {
  const text = useComputed(() => String(Math.round(pictures.firstAfter.value ?? Number.NaN)));
  return (
    <span hidden data-testid="first-picture">
      {text}
    </span>
  );
}
