import type { WorkerLink } from "../models/use-worker.js";
import { Notice } from "./notice.js";

/** Says that the worker of a page has ended, and starts another. */
export function WorkerFailure({ link }: { link: Pick<WorkerLink<never>, "failure" | "restart"> }) {
  if (link.failure.value === null) return null;
  return (
    <Notice kind="error" action={{ label: "Start again", run: link.restart }}>
      {link.failure.value}
    </Notice>
  );
}
