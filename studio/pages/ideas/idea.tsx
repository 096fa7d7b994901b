import type { ComponentChildren } from "preact";

interface IdeaProps {
  title: string;
  /** What is claimed and what to try, in a sentence or two. */
  lead: ComponentChildren;
  /** The figures, and the controls beside them. */
  figures: ComponentChildren;
  controls: ComponentChildren;
  /** The explanation: a few sentences and formulas. */
  children: ComponentChildren;
}

/** The page of an idea: what to try, the figures beside their controls, and below them why it is so. */
export function Idea({ title, lead, figures, controls, children }: IdeaProps) {
  return (
    <article class="page">
      <header class="page-head">
        <h1>{title}</h1>
        <p class="lead">{lead}</p>
      </header>
      <div class="bench">
        <div class="idea-figures">{figures}</div>
        <div class="idea-side">{controls}</div>
      </div>
      <section class="prose">
        <h2>Why</h2>
        {children}
      </section>
    </article>
  );
}
