/** KaTeX, its style and its fonts: a part of the program that only formulas fetch. */
import katex from "katex";
import "katex/dist/katex.min.css";

/** Elements, not markup: the content security policy forbids style attributes in markup. */
export function typeset(tex: string, host: HTMLElement, block: boolean): void {
  katex.render(tex, host, { displayMode: block, throwOnError: false, output: "htmlAndMathml" });
}
