import type { ComponentChildren } from "preact";
import { useRef } from "preact/hooks";

interface FileButtonProps {
  children: ComponentChildren;
  /** Endings and types, as the `accept` of an input. */
  accept: string;
  multiple?: boolean;
  /** For tests and screen readers. */
  label: string;
  onFiles(files: File[]): void;
}

/** A button that opens the browser's file chooser: the keyboard's way to drop a file. */
export function FileButton({ children, accept, multiple = false, label, onFiles }: FileButtonProps) {
  const input = useRef<HTMLInputElement>(null);
  return (
    <>
      <button type="button" onClick={() => input.current?.click()}>
        {children}
      </button>
      <input
        ref={input}
        type="file"
        class="visually-hidden"
        tabIndex={-1}
        aria-label={label}
        accept={accept}
        multiple={multiple}
        onChange={(event) => {
          const chosen = [...(event.currentTarget.files ?? [])];
          // The same file may be chosen again.
          event.currentTarget.value = "";
          onFiles(chosen);
        }}
      />
    </>
  );
}
