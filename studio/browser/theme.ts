/** Light and dark: as the system says, or as the reader chose. */
import { computed, signal } from "@preact/signals";

export type Theme = "system" | "light" | "dark";
const KEY = "monotone-flows theme";
const dark = matchMedia("(prefers-color-scheme: dark)");
const systemDark = signal(dark.matches);
dark.addEventListener("change", () => {
  systemDark.value = dark.matches;
});

export const theme = signal<Theme>(remembered());
/** Whether dark colours are shown; reading it in an effect repeats the effect at every change. */
export const isDark = computed(() => (theme.value === "system" ? systemDark.value : theme.value === "dark"));

export function setTheme(value: Theme): void {
  theme.value = value;
  apply();
  try {
    localStorage.setItem(KEY, value);
  } catch {} // Without storage the choice lasts as long as the page.
}

function remembered(): Theme {
  try {
    const value = localStorage.getItem(KEY);
    return value === "light" || value === "dark" ? value : "system";
  } catch {
    return "system";
  }
}

function apply(): void {
  if (theme.value === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme.value;
}
apply();

const resolved = new Map<string, string>();
const probe = document.createElement("span");
probe.hidden = true;

/** A colour of style.css, such as `--accent`, as a canvas understands it; an effect that reads it follows the theme. */
export function themeColour(name: `--${string}`): string {
  const key = `${name} ${isDark.value}`;
  let colour = resolved.get(key);
  if (colour === undefined) {
    if (!probe.isConnected) document.body.append(probe);
    probe.style.color = `var(${name})`;
    colour = getComputedStyle(probe).color;
    resolved.set(key, colour);
  }
  return colour;
}
