/** Controls with a label: each takes a signal, which it shows and sets. */
import type { ReadonlySignal, Signal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useId } from "preact/hooks";
import type { Limited, Limits } from "../browser/settings.js";

interface Common {
  label: ComponentChildren;
  /** A short explanation under the control. */
  hint?: ComponentChildren;
  disabled?: boolean | undefined;
}

/** A number that knows its limits, or has them beside it. */
type Bounded =
  | { value: Limited; limits?: undefined }
  | { value: Signal<number> & { readonly limits?: undefined }; limits: Limits };

const limitsOf = ({ value, limits = value.limits }: Bounded) => limits as Limits;

type SliderProps = Common &
  Bounded & {
    /** How the value is written beside the label (default: the number itself). */
    format?: (value: number) => string;
    onInput?: (value: number) => void;
  };

/** A number between two ends. The handle follows the pointer and the arrow keys. */
export function Slider({ label, hint, format = String, onInput, disabled, ...bounded }: SliderProps) {
  const id = useId();
  const { value } = bounded;
  const { min, max, step } = limitsOf(bounded);
  return (
    <div class="field slider">
      <label for={id}>{label}</label>
      <output for={id}>{format(value.value)}</output>
      <input
        id={id}
        type="range"
        min={min}
        max={max}
        step={step}
        value={value.value}
        disabled={disabled}
        aria-valuetext={format(value.value)}
        onInput={(event) => {
          value.value = event.currentTarget.valueAsNumber;
          onInput?.(value.value);
        }}
      />
      {hint && <small>{hint}</small>}
    </div>
  );
}

type NumberFieldProps = Common & Bounded;

/** A number that is typed. What is not a number within the limits is marked and not taken. */
export function NumberField({ label, hint, disabled, ...bounded }: NumberFieldProps) {
  const id = useId();
  const { value } = bounded;
  const { min, max, step } = limitsOf(bounded);
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <input
        id={id}
        type="number"
        inputMode="decimal"
        min={min}
        max={max}
        step={step}
        value={value.value}
        disabled={disabled}
        onInput={({ currentTarget: input }) => {
          if (input.validity.valid && input.value !== "") value.value = input.valueAsNumber;
        }}
        onBlur={({ currentTarget: input }) => {
          // What was not taken makes place for what counts.
          input.value = String(value.value);
        }}
      />
      {hint && <small>{hint}</small>}
    </div>
  );
}

interface SelectProps<Word extends string> extends Common {
  value: Signal<Word> | ReadonlySignal<Word>;
  options: readonly (Word | { value: Word; label: string })[];
  /** What a choice does (default: it sets the signal, which then must not be a computed one). */
  onChange?: (value: Word) => void;
}

const setter =
  <Word extends string>(value: ReadonlySignal<Word>) =>
  (word: Word) => {
    (value as Signal<Word>).value = word;
  };

/** One of several words, in a list that opens. */
export function Select<Word extends string>({
  label,
  hint,
  value,
  options,
  onChange = setter(value),
  disabled,
}: SelectProps<Word>) {
  const id = useId();
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <select
        id={id}
        value={value.value}
        disabled={disabled}
        onChange={(event) => onChange(event.currentTarget.value as Word)}
      >
        {options.map((option) => {
          const { value, label } = typeof option === "string" ? { value: option, label: option } : option;
          return (
            <option key={value} value={value}>
              {label}
            </option>
          );
        })}
      </select>
      {hint && <small>{hint}</small>}
    </div>
  );
}

/** One of a few words, all of them visible. */
export function Choice<Word extends string>({
  label,
  hint,
  value,
  options,
  onChange = setter(value),
  disabled,
}: SelectProps<Word>) {
  const name = useId();
  return (
    <fieldset class="field choice" disabled={disabled}>
      <legend>{label}</legend>
      <div class="choices">
        {options.map((option) => {
          const { value: word, label } =
            typeof option === "string" ? { value: option, label: option } : option;
          return (
            <label key={word}>
              <input
                type="radio"
                name={name}
                value={word}
                checked={value.value === word}
                onChange={() => onChange(word)}
              />
              <span>{label}</span>
            </label>
          );
        })}
      </div>
      {hint && <small>{hint}</small>}
    </fieldset>
  );
}

/** Yes or no. */
export function Check({ label, hint, value, disabled }: Common & { value: Signal<boolean> }) {
  const id = useId();
  return (
    <div class="field check">
      <input
        id={id}
        type="checkbox"
        checked={value.value}
        disabled={disabled}
        onChange={(event) => {
          value.value = event.currentTarget.checked;
        }}
      />
      <label for={id}>{label}</label>
      {hint && <small>{hint}</small>}
    </div>
  );
}
