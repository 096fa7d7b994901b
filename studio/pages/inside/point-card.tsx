/** What the model says of one point, and how its log p(x) comes about. */
import type { Signal } from "@preact/signals";
import { Slider } from "../../controls/fields.js";
import { type Journey, pointsAt } from "./journey.js";
import { type Ledger, ledgerOf } from "./ledger.js";

/** Decimals of what is told in nats. */
const DECIMALS = 4;

export function PointCard({ now, chosen }: { now: Journey; chosen: Signal<number> }) {
  const i = Math.min(chosen.value, now.data - 1);
  const { path, length } = now;
  const x = inData(now, i);
  const z = pointsAt(now, length);
  const ledger = ledgerOf(path.terms, i, DECIMALS);
  return (
    <section class="point-card" aria-label="The point that is looked at">
      <Slider label="Point" value={chosen} limits={{ min: 0, max: now.data - 1, step: 1 }} />
      <dl class="num">
        <div>
          <dt>x</dt>
          <dd>{pair(x[0], x[1])}</dd>
        </div>
        <div>
          <dt>latent z</dt>
          <dd>{pair(z[2 * i], z[2 * i + 1])}</dd>
        </div>
        <div>
          <dt>round-trip error</dt>
          <dd data-testid="round-trip">
            {Number.isNaN(path.roundTrip[i])
              ? "not known"
              : path.roundTrip[i].toExponential(1).replace("-", "−")}
          </dd>
        </div>
        {!ledger && (
          <div>
            <dt>log p(x)</dt>
            <dd>{Number.isNaN(path.logProb[i]) ? "not known" : "−∞: outside of the model's support"}</dd>
          </div>
        )}
      </dl>
      {ledger && <Sum ledger={ledger} />}
    </section>
  );
}

/** The terms one below the other, each drawn from the sum before it to the sum behind it. */
function Sum({ ledger: { entries, total } }: { ledger: Ledger }) {
  const ends = [0, total, ...entries.map(({ before }) => before)];
  const [low, high] = [Math.min(...ends), Math.max(...ends)];
  const at = (units: number) => (100 * (units - low)) / (high - low || 1);
  const bar = (from: number, to: number, kind: string) => (
    <span class="sum-track" aria-hidden="true">
      <span class="sum-zero" style={{ left: `${at(0)}%` }} />
      <span
        class={`sum-bar ${kind}`}
        style={{
          left: `${at(Math.min(from, to))}%`,
          width: `${at(Math.max(from, to)) - at(Math.min(from, to))}%`,
        }}
      />
    </span>
  );
  return (
    <table class="sum">
      <caption>
        What log p(x) is the sum of, in nats <span>Of blocks and preprocessing: log|det| at this point</span>
      </caption>
      <tbody>
        {entries.map(({ name, units, before }) => (
          <tr key={name}>
            <th scope="row">{name === "base" ? "log-density of z" : name}</th>
            <td>{bar(before, before + units, units < 0 ? "negative" : "")}</td>
            <td class="num" data-testid="term">
              {nats(units, "+")}
            </td>
          </tr>
        ))}
      </tbody>
      <tfoot>
        <tr>
          <th scope="row">log p(x)</th>
          <td>{bar(0, total, "total")}</td>
          <td class="num" data-testid="log-prob">
            {nats(total)}
          </td>
        </tr>
      </tfoot>
    </table>
  );
}

/** The point in the units of the data. */
function inData({ path, source: { standardisation: s } }: Journey, i: number): [number, number] {
  const [x, y] = [path.places[0][2 * i], path.places[0][2 * i + 1]];
  return s ? [x * s.deviation[0] + s.mean[0], y * s.deviation[1] + s.mean[1]] : [x, y];
}

/** So many units of the last decimal, with a sign that is told for positive numbers, too. */
function nats(units: number, plus = ""): string {
  const sign = units < 0 ? "−" : units > 0 ? plus : "";
  return sign + (Math.abs(units) / 10 ** DECIMALS).toFixed(DECIMALS);
}
const fixed = (value: number, digits: number) => value.toFixed(digits).replace("-", "−");
const pair = (a: number, b: number) =>
  Number.isFinite(a) && Number.isFinite(b) ? `(${fixed(a, 3)}, ${fixed(b, 3)})` : "not known";
