import type { ComponentChildren } from "preact";
import { useRef } from "preact/hooks";
import { downloadPng, downloadSvg } from "./export.js";

interface FigureProps {
  title: ComponentChildren;
  /** The name of downloaded files, without ending. */
  file: string;
  caption?: ComponentChildren;
  /** Of the title among the headings of the page: 2 (default), or 3 below another heading. */
  level?: 2 | 3;
  /** One or more plots: anything made of `svg` and `canvas`. */
  children: ComponentChildren;
}

/** A picture with a title, a caption, and itself as PNG or SVG. */
export function Figure({ title, file, caption, level = 2, children }: FigureProps) {
  const Title = level === 2 ? "h2" : "h3";
  const host = useRef<HTMLDivElement>(null);
  const save = (what: (host: HTMLElement, name: string) => unknown) => () => {
    if (host.current) void what(host.current, file);
  };
  return (
    <figure class="figure">
      <header>
        <Title class="figure-title">{title}</Title>
        <div class="figure-tools">
          <button type="button" class="quiet" onClick={save(downloadPng)} aria-label={`Save ${file} as PNG`}>
            PNG
          </button>
          <button type="button" class="quiet" onClick={save(downloadSvg)} aria-label={`Save ${file} as SVG`}>
            SVG
          </button>
        </div>
      </header>
      <div class="figure-body" ref={host}>
        {children}
      </div>
      {caption && <figcaption>{caption}</figcaption>}
    </figure>
  );
}
