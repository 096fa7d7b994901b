/** Whether what is trained was started with other settings than those that are shown now. */
import { computed, effect, signal } from "@preact/signals";
import { drawing, file } from "../../models/data.js";
import { session } from "./session.js";
import { settings } from "./settings.js";

/** These may change while training goes on. */
const LIVE = new Set(["rate", "steps"]);

const now = computed(() => {
  const { data } = settings;
  const own = data.value === "drawing" ? drawing.value : data.value === "file" ? file.value : null;
  const values = Object.entries(settings)
    .filter(([name]) => !LIVE.has(name))
    .map(([name, { value }]) => `${name}=${value}`);
  return { text: values.join("&"), own };
});

const atStart = signal<typeof now.value | null>(null);
let known: typeof session.value = null;
effect(() => {
  const { value } = session;
  // A model that was revived belongs to the same start.
  if (value?.began !== known?.began) atStart.value = value ? now.peek() : null;
  known = value;
});

export const stale = computed(() => {
  const then = atStart.value;
  return then !== null && (then.text !== now.value.text || then.own !== now.value.own);
});
