/** What the model says of one point. */
import type { Signal } from "@preact/signals";
import { Slider } from "../../controls/fields.js";
import { type Journey, pointsAt } from "./journey.js";

export function PointCard({ now, chosen }: { now: Journey; chosen: Signal<number> }) {
  const i = Math.min(chosen.value, now.data - 1);
  const { path, length } = now;
  const x = inData(now, i);
  const z = pointsAt(now, length);
  const logDet = path.logDets.reduce((sum, each) => sum + each[i], 0);
  return (
    <section class="point-card" aria-label="The point that is looked at">
      <Slider label="Point" value={chosen} min={0} max={now.data - 1} step={1} />
      <dl class="num">
        <div>
          <dt>x</dt>
          <dd>{pair(x[0], x[1])}</dd>
        </div>
        <div>
          <dt>log p(x)</dt>
          <dd>{nats(path.logProb[i])}</dd>
        </div>
        <div>
          <dt>latent z</dt>
          <dd>{pair(z[2 * i], z[2 * i + 1])}</dd>
        </div>
        <div>
          <dt>log-determinant</dt>
          <dd>{nats(logDet)}</dd>
        </div>
        <div>
          <dt>round-trip error</dt>
          <dd data-testid="round-trip">
            {Number.isNaN(path.roundTrip[i])
              ? "not known"
              : path.roundTrip[i].toExponential(1).replace("-", "−")}
          </dd>
        </div>
      </dl>
    </section>
  );
}

/** The point in the units of the data. */
function inData({ path, source: { standardisation: s } }: Journey, i: number): [number, number] {
  const [x, y] = [path.places[0][2 * i], path.places[0][2 * i + 1]];
  return s ? [x * s.deviation[0] + s.mean[0], y * s.deviation[1] + s.mean[1]] : [x, y];
}

const nats = (value: number) => (Number.isNaN(value) ? "not known" : `${fixed(value, 4)} nats`);
const fixed = (value: number, digits: number) => value.toFixed(digits).replace("-", "−");
const pair = (a: number, b: number) => `(${fixed(a, 3)}, ${fixed(b, 3)})`;
