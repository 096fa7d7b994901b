import { useEffect, useRef } from "preact/hooks";

/** Typesets TeX with KaTeX, which is fetched with the first formula; until then, and without it, the TeX is shown. */
export function Formula({ tex, block = false }: { tex: string; block?: boolean }) {
  const host = useRef<HTMLSpanElement>(null);
  useEffect(() => {
    let wanted = true;
    void import("./katex.js").then(
      ({ typeset }) => {
        if (wanted && host.current) typeset(tex, host.current, block);
      },
      () => {},
    );
    return () => {
      wanted = false;
    };
  }, [tex, block]);
  if (!block) return <span class="formula" ref={host} />;
  // On a narrow page it scrolls by itself, so the keyboard has to come to it.
  // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached.
  return <span class="formula block" tabIndex={0} ref={host} />;
}
