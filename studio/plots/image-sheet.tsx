/** Many small images in rows, each pixel a square. */
import { useLayoutEffect, useRef } from "preact/hooks";
import { themeColour } from "../browser/theme.js";

interface ImageSheetProps {
  /** What the images show, for those who cannot see them. */
  label: string;
  /** [image][channel][y][x], from 0 (black) to `levels - 1`; NaN is left grey. */
  images: ArrayLike<number>;
  /** One channel (grey) or three (red, green, blue). */
  shape: { channels: number; height: number; width: number };
  levels: number;
  columns: number;
}

/** About so many pixels of the canvas for an image; shown at half the size. */
const SIDE = 144;
const GAP = 4;

export function ImageSheet({ label, images, shape, levels, columns }: ImageSheetProps) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const { channels, height, width } = shape;
  const each = channels * height * width;
  const count = images.length / each;
  const scale = Math.max(1, Math.round(SIDE / Math.max(width, height)));
  const [across, down] = [scale * width + GAP, scale * height + GAP];
  const size = { width: columns * across + GAP, height: Math.ceil(count / columns) * down + GAP };
  useLayoutEffect(() => {
    const context = canvas.current?.getContext("2d");
    if (!context) return;
    context.fillStyle = themeColour("--line-strong");
    context.fillRect(0, 0, size.width, size.height);
    for (let n = 0; n < count; n++) {
      const left = GAP + (n % columns) * across;
      const top = GAP + Math.floor(n / columns) * down;
      for (let i = 0; i < height * width; i++) {
        const [r, g, b] = [0, 1, 2].map((c) => {
          const value = images[n * each + Math.min(c, channels - 1) * height * width + i];
          return Math.round((255 * value) / (levels - 1));
        });
        if (Number.isNaN(r)) continue;
        context.fillStyle = `rgb(${r} ${g} ${b})`;
        context.fillRect(left + (i % width) * scale, top + Math.floor(i / width) * scale, scale, scale);
      }
    }
  });
  return (
    <canvas
      ref={canvas}
      class="image-sheet"
      {...size}
      style={{ width: `${size.width / 2}px` }}
      role="img"
      aria-label={label}
    />
  );
}
