/** A plane with labelled axes: a canvas for what is dense or moves, and SVG over it for what is drawn in lines. */
import { effect } from "@preact/signals";
import { type ScaleLinear, scaleLinear, scaleLog } from "d3-scale";
import type { ComponentChildren } from "preact";
import { useId, useLayoutEffect, useRef, useState } from "preact/hooks";
import { type Tick, ticksOf, ticksOn, widest } from "./ticks.js";

/** From the units of the axes to pixels of the plot, and back with `invert`. */
export interface Scales {
  x: ScaleLinear<number, number>;
  y: ScaleLinear<number, number>;
  /** Of the plane, in pixels: x goes from 0 to width, y from height to 0. */
  width: number;
  height: number;
}

interface PlotProps {
  /** What the picture shows, for those who cannot see it. */
  label: string;
  x: readonly [number, number];
  y: readonly [number, number];
  xLabel?: string;
  yLabel?: string;
  /** Height of the plane by its width (default 1); with equal ranges, 1 makes units equally long. */
  aspect?: number;
  /** The fewest pixels that the plane is high (default: what the aspect says), for wide planes on narrow pages. */
  minHeight?: number;
  /** The most pixels that the whole plot is wide (default: as wide as its place). */
  maxWidth?: number;
  logX?: boolean;
  logY?: boolean;
  xTicks?: number;
  yTicks?: number;
  /** Lines at the ticks (default false). */
  grid?: boolean;
  /**
   * Paints the canvas, in pixels of the plane. It is called again when the plot is rendered, and when a signal that
   * it reads changes: a picture that moves reads its data from a signal and renders nothing.
   */
  draw?: (context: CanvasRenderingContext2D, scales: Scales) => void;
  /** SVG over the canvas, in pixels of the plane. */
  children?: (scales: Scales) => ComponentChildren;
  /** The pointer in the units of the axes, with the scales for distances in pixels; null when it has left. */
  onHover?: (point: { x: number; y: number; scales: Scales } | null) => void;
  /** A pressed pointer moves to here, in the units of the axes; `first` where it was pressed. */
  onDrag?: (point: { x: number; y: number; first: boolean }) => void;
}

const MARGIN = { top: 8, right: 12, bottom: 40, left: 28 };
/** From the end of the labels at the ticks of the upright axis to the axis. */
const TICK = 8;
/** The name of the upright axis, and the space beside it. */
const NAME = 22;

export function Plot(props: PlotProps) {
  const { label, aspect = 1, minHeight = 0, maxWidth, draw, children, onHover, onDrag } = props;
  const host = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const clip = useId();
  const [total, setTotal] = useState(0);
  useLayoutEffect(() => {
    const element = host.current as HTMLDivElement;
    const measure = () => setTotal(Math.floor(element.clientWidth));
    measure();
    const observer = new ResizeObserver(measure);
    observer.observe(element);
    return () => observer.disconnect();
  }, []);

  const bottom = props.xLabel ? MARGIN.bottom : MARGIN.bottom - 16;
  const name = props.yLabel ? NAME : 0;
  // How many ticks there are depends on the size, and the size on the room for their labels: a size nearly right will do.
  const most = Math.max(minHeight, aspect * (total - MARGIN.left - name - MARGIN.right));
  const yTicks = ticksOf(props.y, props.logY ?? false, props.yTicks ?? ticksOn(most, props.logY ? 28 : 50));
  const left = name + Math.max(MARGIN.left, Math.ceil(widest(yTicks)) + TICK + 2);
  const width = Math.max(60, total - left - MARGIN.right);
  const height = Math.max(minHeight, Math.round(width * aspect));
  const xTicks = ticksOf(props.x, props.logX ?? false, props.xTicks ?? ticksOn(width, 70));
  const scales: Scales = {
    // A logarithmic scale has all that is used here of a linear one.
    x: (props.logX ? (scaleLog() as unknown as ScaleLinear<number, number>) : scaleLinear())
      .domain(props.x)
      .range([0, width]),
    y: (props.logY ? (scaleLog() as unknown as ScaleLinear<number, number>) : scaleLinear())
      .domain(props.y)
      .range([height, 0]),
    width,
    height,
  };

  const paint = useRef(() => {});
  paint.current = () => {
    const context = canvas.current?.getContext("2d");
    if (!context || !draw || total === 0) return;
    const ratio = devicePixelRatio;
    const [w, h] = [Math.round(width * ratio), Math.round(height * ratio)];
    if (context.canvas.width !== w || context.canvas.height !== h) {
      context.canvas.width = w;
      context.canvas.height = h;
    }
    context.setTransform(w / width, 0, 0, h / height, 0, 0);
    context.clearRect(0, 0, width, height);
    draw(context, scales);
  };
  // A new subscription at every render: what is painted, and so which signals are read, may be another then.
  useLayoutEffect(() => effect(() => paint.current()));

  const at = (event: PointerEvent) => {
    const { left, top } = (event.currentTarget as Element).getBoundingClientRect();
    return { x: scales.x.invert(event.clientX - left), y: scales.y.invert(event.clientY - top) };
  };
  const interactive = onHover || onDrag;
  const place = { left: `${left}px`, top: `${MARGIN.top}px`, width: `${width}px`, height: `${height}px` };
  return (
    <div class="plot" ref={host} style={maxWidth ? { maxWidth: `${maxWidth}px` } : {}}>
      <div style={{ height: `${height + MARGIN.top + bottom}px` }}>
        {props.grid && (
          <svg class="plot-svg" width={total} height={height + MARGIN.top + bottom} aria-hidden="true">
            <g transform={`translate(${left},${MARGIN.top})`}>
              <Grid scales={scales} xTicks={xTicks} yTicks={yTicks} />
            </g>
          </svg>
        )}
        {draw && <canvas ref={canvas} class="plot-canvas" style={place} />}
        <svg
          class="plot-svg"
          width={total}
          height={height + MARGIN.top + bottom}
          role="img"
          aria-label={label}
        >
          <clipPath id={clip}>
            <rect width={width} height={height} />
          </clipPath>
          <g transform={`translate(${left},${MARGIN.top})`}>
            <Axes
              scales={scales}
              xTicks={xTicks}
              yTicks={yTicks}
              xLabel={props.xLabel}
              yLabel={props.yLabel}
              left={left}
              bottom={bottom}
            />
            <g clip-path={`url(#${clip})`}>{total > 0 && children?.(scales)}</g>
            <rect class="plot-frame" width={width} height={height} />
          </g>
        </svg>
        {interactive && (
          <div
            class={onDrag ? "plot-pointer drag" : "plot-pointer"}
            style={place}
            onPointerDown={(event) => {
              if (!onDrag || event.button !== 0) return;
              event.currentTarget.setPointerCapture(event.pointerId);
              onDrag({ ...at(event), first: true });
            }}
            onPointerMove={(event) => {
              onHover?.({ ...at(event), scales });
              if (onDrag && event.currentTarget.hasPointerCapture(event.pointerId))
                onDrag({ ...at(event), first: false });
            }}
            onPointerLeave={() => onHover?.(null)}
          />
        )}
      </div>
    </div>
  );
}

interface Ticks {
  scales: Scales;
  xTicks: readonly Tick[];
  yTicks: readonly Tick[];
}

/** Lines at the ticks, under everything else. */
function Grid({ scales: { x, y, width, height }, xTicks, yTicks }: Ticks) {
  return (
    <>
      {xTicks.map(({ value }) => (
        <line key={`x${value}`} class="grid" x1={x(value)} x2={x(value)} y1={0} y2={height} />
      ))}
      {yTicks.map(({ value }) => (
        <line key={`y${value}`} class="grid" x1={0} x2={width} y1={y(value)} y2={y(value)} />
      ))}
    </>
  );
}

interface AxesProps extends Ticks {
  xLabel: string | undefined;
  yLabel: string | undefined;
  left: number;
  bottom: number;
}

function Axes({ scales, xTicks, yTicks, xLabel, yLabel, left, bottom }: AxesProps) {
  const { x, y, width, height } = scales;
  return (
    <g class="axes">
      {xTicks.map(({ value, label }) => (
        <g key={value} transform={`translate(${x(value)},0)`}>
          <line class="tick" y1={height} y2={height + 5} />
          <text y={height + 17} text-anchor="middle">
            {label}
          </text>
        </g>
      ))}
      {yTicks.map(({ value, label }) => (
        <g key={value} transform={`translate(0,${y(value)})`}>
          <line class="tick" x1={-5} x2={0} />
          <text x={-TICK} dy="0.32em" text-anchor="end">
            {label}
          </text>
        </g>
      ))}
      {xLabel && (
        <text class="axis-label" x={width / 2} y={height + bottom - 5} text-anchor="middle">
          {xLabel}
        </text>
      )}
      {yLabel && (
        <text
          class="axis-label"
          transform={`translate(${-left + 13},${height / 2}) rotate(-90)`}
          text-anchor="middle"
        >
          {yLabel}
        </text>
      )}
    </g>
  );
}
