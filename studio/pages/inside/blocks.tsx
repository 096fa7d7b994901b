/** Each block: its certified bound, what its solver took, its part in the log-determinant. */
import type { Signal } from "@preact/signals";
import type { Journey } from "./journey.js";

export function Blocks({ now, place }: { now: Journey; place: Signal<number> }) {
  const { path, bounds, length } = now;
  const { known, means } = meansOf(now);
  const total = means.reduce((sum, value) => sum + value, 0);
  const most = Math.max(...means.map(Math.abs).filter(Number.isFinite), 1e-9);
  // The place between two blocks belongs to the one that is being passed.
  const current = Math.min(length - 1, Math.max(0, Math.ceil(place.value) - 1));
  return (
    <section class="blocks" aria-labelledby="blocks">
      <h2 id="blocks">The blocks</h2>
      <div class="scroll">
        <table>
          <thead>
            <tr>
              <th scope="col">Block</th>
              <th scope="col">Kind</th>
              <th scope="col">Lipschitz bound</th>
              <th scope="col">Evaluations</th>
              <th scope="col">Mean log|det|, nats</th>
            </tr>
          </thead>
          <tbody>
            {means.map((mean, i) => {
              const block = bounds.find(({ index }) => index === i);
              return (
                <tr key={i} class={i === current && place.value > 0 ? "current" : ""}>
                  <th scope="row">
                    <button type="button" class="quiet" onClick={() => set(place, i + 1)}>
                      {i + 1}
                    </button>
                  </th>
                  <td>{path.kinds[i]}</td>
                  <td>
                    {block && !Number.isFinite(block.lipschitzBound) ? (
                      "not known"
                    ) : block ? (
                      <Bar value={block.lipschitzBound} most={1} text={block.lipschitzBound.toFixed(4)} />
                    ) : (
                      "–"
                    )}
                  </td>
                  <td>{path.evaluations[i] > 0 ? path.evaluations[i].toFixed(1) : "–"}</td>
                  <td>
                    {known > 0 ? (
                      <Bar value={Math.abs(mean)} most={most} text={signed(mean)} negative={mean < 0} />
                    ) : (
                      "–"
                    )}
                  </td>
                </tr>
              );
            })}
          </tbody>
          <tfoot>
            <tr>
              <th scope="row" colSpan={4}>
                all blocks, mean over {known === now.data ? known : `the ${known} of ${now.data}`} points
                {known === now.data ? "" : " that have a log p(x)"}
              </th>
              <td>{known > 0 ? signed(total) : "–"}</td>
            </tr>
          </tfoot>
        </table>
      </div>
      <p class="note">
        The bound is certified: no two points are torn further apart by the block's network G than by this
        factor. Below 1 the block is invertible. Evaluations are those of G that solving took for one pass.
      </p>
    </section>
  );
}

/** The mean log-determinant of each block, over the points of data that have one. */
function meansOf({ path, data }: Journey): { known: number; means: number[] } {
  const rows = Array.from({ length: data }, (_, i) => i).filter((i) => Number.isFinite(path.logProb[i]));
  const means = path.logDets.map((each) => rows.reduce((sum, i) => sum + each[i], 0) / rows.length);
  return { known: rows.length, means };
}

const signed = (value: number) => `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(3)}`;
const set = (place: Signal<number>, value: number) => {
  place.value = value;
};

function Bar({
  value,
  most,
  text,
  negative,
}: {
  value: number;
  most: number;
  text: string;
  negative?: boolean;
}) {
  return (
    <span class="bar">
      <span class="bar-track" aria-hidden="true">
        <span
          class={negative ? "bar-fill negative" : "bar-fill"}
          style={{ width: `${Math.min(100, (100 * value) / most)}%` }}
        />
      </span>
      <span class="num">{text}</span>
    </span>
  );
}
