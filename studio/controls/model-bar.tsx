import type { ReadonlySignal } from "@preact/signals";
import { take } from "../models/incoming.js";
import { Select } from "./fields.js";
import { FileButton } from "./file-button.js";

/** Chooses among the models that a page knows, or opens the files of one on the page that shows its kind. */
export function ModelBar({
  shown,
  options,
  onChange,
}: {
  shown: ReadonlySignal<string>;
  options: { value: string; label: string }[];
  onChange: (model: string) => void;
}) {
  return (
    <div class="model-bar">
      <Select label="Model" value={shown} options={options} onChange={onChange} />
      <FileButton
        accept=".zip,.json,.safetensors"
        multiple
        label="Model files"
        onFiles={(files) => void take(files)}
      >
        Open a model…
      </FileButton>
      <p class="note">
        A run directory, its ZIP file, or flow.json and model.safetensors; also by dropping them.
      </p>
    </div>
  );
}
