/** Settings of a page that live in its address: a link to the page carries them. */
import { effect, type Signal, signal } from "@preact/signals";
import { path, query, replaceQuery } from "./route.js";

/** How one setting is written in an address and read from it; what cannot be read becomes the default. */
export interface Setting<Value> {
  readonly initial: Value;
  read(text: string): Value | undefined;
  write(value: Value): string;
}

/** What numbers a control takes: every one within these ends, or those that are whole steps from the least one. */
export interface Limits {
  readonly min: number;
  readonly max: number;
  readonly step: number | "any";
}

/** A number whose control knows its limits. */
export type Limited = Signal<number> & { readonly limits: Limits };

export const limited = (initial: number, limits: Limits): Limited =>
  Object.assign(signal(initial), { limits });

/** A number within limits; whole where its steps are. */
export function number(initial: number, limits: Limits): Setting<number> & { readonly limits: Limits } {
  const { min, max, step } = limits;
  return {
    initial,
    limits,
    read(text) {
      const value = Number(text);
      if (text.trim() === "" || !Number.isFinite(value) || value < min || value > max) return undefined;
      return Number.isInteger(step) && !Number.isInteger(value) ? undefined : value;
    },
    write: (value) => String(Number(value.toPrecision(12))),
  };
}

/** One of a few words. */
export function choice<Word extends string>(initial: Word, words: readonly Word[]): Setting<Word> {
  return { initial, read: (text) => words.find((word) => word === text), write: (value) => value };
}

/** Yes or no. */
export function flag(initial: boolean): Setting<boolean> {
  return {
    initial,
    read: (text) => ({ "1": true, "0": false })[text],
    write: (value) => (value ? "1" : "0"),
  };
}

// biome-ignore lint/suspicious/noExplicitAny: the values of a page's settings differ in type.
type Settings = Record<string, Setting<any>>;
export type Signals<All extends Settings> = {
  readonly [Name in keyof All]: All[Name] extends { readonly limits: Limits }
    ? Limited
    : All[Name] extends Setting<infer Value>
      ? Signal<Value>
      : never;
};

/**
 * Signals for the settings of the page at `page`, to be made once (at the top of the page's module). They follow the
 * address while the page is shown, and what differs from its default is written there.
 */
export function addressSettings<All extends Settings>(page: string, settings: All): Signals<All> {
  const signals = Object.fromEntries(
    Object.entries(settings).map(([name, setting]) => {
      const { initial } = setting;
      return [name, "limits" in setting ? limited(initial, setting.limits as Limits) : signal(initial)];
    }),
  );
  const written = () => {
    const parameters = new URLSearchParams();
    for (const [name, { initial, write }] of Object.entries(settings)) {
      const { value } = signals[name];
      if (value !== initial) parameters.set(name, write(value));
    }
    return parameters.toString();
  };
  /** The settings that were last read or written here: only other ones are news. */
  let known: string | null = null;
  effect(() => {
    if (path.value !== page || query.value === known) return;
    // A bare link to the page keeps what was set before; the address is completed below.
    if (query.value === "" && known !== null) return;
    known = query.value;
    const parameters = new URLSearchParams(query.value);
    for (const [name, { initial, read }] of Object.entries(settings)) {
      const text = parameters.get(name);
      signals[name].value = (text === null ? undefined : read(text)) ?? initial;
    }
  });
  effect(() => {
    const text = written();
    if (path.value !== page) return;
    known = text;
    replaceQuery(text);
  });
  return signals as Signals<All>;
}
