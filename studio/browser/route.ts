/**
 * The address: `#/<page>?<settings>`. A hash needs nothing of a server, so the same files work everywhere.
 */
import { computed, signal } from "@preact/signals";

const hash = signal(location.hash);
addEventListener("hashchange", () => {
  hash.value = location.hash;
});

const parts = computed(() => {
  const [path, query = ""] = hash.value.replace(/^#\/?/, "").split("?", 2);
  return { path: path.replace(/\/$/, ""), query };
});

/** The path of the page that is shown, such as `train` or `ideas/counterexample`; empty for the first page. */
export const path = computed(() => parts.value.path);

/** The settings in the address, as `URLSearchParams` reads them. */
export const query = computed(() => parts.value.query);

/** The address of a page, for links. */
export const addressOf = (page: string, settings = "") => `#/${page}${settings ? `?${settings}` : ""}`;

/** Replaces the settings in the address without a step in the browser's history. */
export function replaceQuery(text: string): void {
  const address = addressOf(path.peek(), text);
  if (address === location.hash) return;
  history.replaceState(null, "", address);
  hash.value = address;
}
