import type { Scales } from "./plot.js";

const OPACITY = 0.6;

/** Of the canvas that was painted last; those side by side have one size. */
let image = new ImageData(1, 1);

/**
 * Paints square dots, x and y in turn, over a whole canvas. Their edges lie between pixels, so that they glide; pixel by
 * pixel this takes a fraction of what as many calls of `fillRect` would.
 */
export function drawDots(
  context: CanvasRenderingContext2D,
  scales: Scales,
  points: ArrayLike<number>,
  colour: string,
  size = 2,
): void {
  const { width: columns, height: rows } = context.canvas;
  if (image.width !== columns || image.height !== rows) image = new ImageData(columns, rows);
  const { data } = image;
  const [red, green, blue] = colour.match(/\d+/g)?.map(Number) ?? [0, 0, 0];
  new Uint32Array(data.buffer).fill((blue << 16) | (green << 8) | red);
  const across = columns / scales.width;
  const down = rows / scales.height;
  for (let i = 0; i < points.length; i += 2) {
    const left = (scales.x(points[i]) - size / 2) * across;
    const top = (scales.y(points[i + 1]) - size / 2) * down;
    const right = left + size * across;
    const bottom = top + size * down;
    const end = Math.min(columns, Math.ceil(right));
    for (let y = Math.max(0, Math.floor(top)); y < Math.min(rows, Math.ceil(bottom)); y++) {
      const height = Math.min(bottom, y + 1) - Math.max(top, y);
      for (let x = Math.max(0, Math.floor(left)); x < end; x++) {
        const share = OPACITY * height * (Math.min(right, x + 1) - Math.max(left, x));
        const alpha = 4 * (y * columns + x) + 3;
        data[alpha] += share * (255 - data[alpha]);
      }
    }
  }
  context.putImageData(image, 0, 0);
}
