import type { ComponentChildren } from "preact";

interface NoticeProps {
  /** `error` is announced at once by screen readers, the others when they have time. */
  kind: "info" | "warning" | "error";
  action?: { label: string; run(): void } | undefined;
  children: ComponentChildren;
}

/** Something said in words: what is missing, went wrong or is worth knowing, with what can be done about it. */
export function Notice({ kind, action, children }: NoticeProps) {
  return (
    <div class={`notice ${kind}`} role={kind === "error" ? "alert" : "status"}>
      <p>{children}</p>
      {action && (
        <button type="button" onClick={action.run}>
          {action.label}
        </button>
      )}
    </div>
  );
}
