import { take } from "../models/incoming.js";
import { FileButton } from "./file-button.js";

/** Opens the files of a model, on the page that shows its kind. */
export function OpenModel() {
  return (
    <>
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
    </>
  );
}
