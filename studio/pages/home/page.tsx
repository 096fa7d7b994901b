import { addressOf } from "../../browser/route.js";
import { Formula } from "../../controls/formula.js";
import { ideas } from "../ideas/index.js";
import { work } from "../work.js";

/** The first page: what this is, and where to go. */
export default function Home() {
  return (
    <article class="page prose-page">
      <header class="page-head">
        <h1>See and steer Monotone Flows</h1>
        <p class="lead">
          A normalizing flow turns a simple density into a complex one through an invertible map. This studio
          trains real ones, with the same library and kernels as the command line, in your own browser.
          Nothing that you draw or drop here leaves this page.
        </p>
      </header>
      <Cards title="Work" pages={work} />
      <section class="prose">
        <h2>The idea in three lines</h2>
        <p>
          A residual flow <Formula tex="F(x) = x + G(x)" /> is invertible because <Formula tex="G" /> is a
          contraction. But invertibility needs only that <Formula tex="F" /> is strongly monotone. A Monotone
          Flow takes
        </p>
        <Formula block tex="F = \left(\frac{\mathrm{Id} + G}{2}\right)^{-1} - \mathrm{Id}" />
        <p>
          With the same bound <Formula tex="L < 1" /> on <Formula tex="G" />, its slopes reach from{" "}
          <Formula tex="\frac{1-L}{1+L}" /> to <Formula tex="\frac{1+L}{1-L}" /> rather than from{" "}
          <Formula tex="1-L" /> to <Formula tex="1+L" />. So it can bend space more, and learns faster.
        </p>
        <p class="note">
          Ahn, Kim, Hong, Ko: Invertible Monotone Operators for Normalizing Flows, NeurIPS 2022.
        </p>
      </section>
      {ideas.length > 0 && <Cards title="The ideas" pages={ideas} />}
    </article>
  );
}

function Cards({ title, pages }: { title: string; pages: typeof work }) {
  return (
    <section>
      <h2>{title}</h2>
      <ul class="cards">
        {pages.map(({ path, title, summary }) => (
          <li key={path}>
            <a class="card" href={addressOf(path)}>
              <strong>{title}</strong>
              <span>{summary}</span>
            </a>
          </li>
        ))}
      </ul>
    </section>
  );
}
