/**
 * A figure as one SVG or PNG file: its canvases as pictures, its SVG elements with the styles that the page gives them.
 */
import { download } from "../browser/download.js";

const NAMESPACE = "http://www.w3.org/2000/svg";
/** What the page's style may decide about shapes and text. */
const STYLES = [
  "fill",
  "fill-opacity",
  "stroke",
  "stroke-width",
  "stroke-opacity",
  "stroke-dasharray",
  "stroke-linecap",
  "stroke-linejoin",
  "opacity",
  "font-family",
  "font-size",
  "font-style",
  "font-weight",
  "text-anchor",
  "dominant-baseline",
  "paint-order",
];
/** Pixels of a PNG for each pixel of the page. */
const SCALE = 2;

/** All canvases and SVG elements in `host`, where they stand, on the page's background. */
export function figureSvg(host: HTMLElement): { text: string; width: number; height: number } {
  const frame = host.getBoundingClientRect();
  const { width, height } = frame;
  const svg = document.createElementNS(NAMESPACE, "svg");
  svg.setAttribute("xmlns", NAMESPACE);
  svg.setAttribute("width", String(width));
  svg.setAttribute("height", String(height));
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  const background = document.createElementNS(NAMESPACE, "rect");
  background.setAttribute("width", "100%");
  background.setAttribute("height", "100%");
  background.setAttribute("fill", getComputedStyle(document.body).backgroundColor);
  svg.append(background);
  for (const element of host.querySelectorAll<HTMLCanvasElement | SVGSVGElement>("canvas, svg")) {
    if (element.closest("button")) continue;
    const place = element.getBoundingClientRect();
    if (place.width === 0 || place.height === 0) continue;
    const copy =
      element instanceof HTMLCanvasElement
        ? document.createElementNS(NAMESPACE, "image")
        : styledCopy(element);
    if (element instanceof HTMLCanvasElement) copy.setAttribute("href", element.toDataURL("image/png"));
    copy.setAttribute("x", String(place.left - frame.left));
    copy.setAttribute("y", String(place.top - frame.top));
    copy.setAttribute("width", String(place.width));
    copy.setAttribute("height", String(place.height));
    svg.append(copy);
  }
  return { text: new XMLSerializer().serializeToString(svg), width, height };
}

function styledCopy(element: SVGSVGElement): SVGSVGElement {
  const copy = element.cloneNode(true) as SVGSVGElement;
  const originals = [element, ...element.querySelectorAll("*")];
  const copies = [copy, ...copy.querySelectorAll("*")];
  originals.forEach((original, i) => {
    const style = getComputedStyle(original);
    for (const name of STYLES) copies[i].setAttribute(name, style.getPropertyValue(name));
    copies[i].removeAttribute("class");
    copies[i].removeAttribute("style");
  });
  return copy;
}

export function downloadSvg(host: HTMLElement, name: string): void {
  download(`${name}.svg`, figureSvg(host).text, "image/svg+xml");
}

export async function downloadPng(host: HTMLElement, name: string): Promise<void> {
  const { text, width, height } = figureSvg(host);
  const image = new Image();
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(text)}`;
  await image.decode();
  const canvas = document.createElement("canvas");
  canvas.width = Math.round(SCALE * width);
  canvas.height = Math.round(SCALE * height);
  canvas.getContext("2d")?.drawImage(image, 0, 0, canvas.width, canvas.height);
  const blob = await new Promise<Blob | null>((resolve) => canvas.toBlob(resolve, "image/png"));
  if (blob) download(`${name}.png`, blob, "image/png");
}
