/**
 * One Vitest that stays, in a process of its own that can be killed when an error makes a test hang: it is told which file
 * was changed and which test file to run, and answers with the first test that fails.
 */
import { createVitest } from "vitest/node";

export interface Order {
  /** Files that have been changed since the last order. */
  changed: string[];
  test: string;
}

export interface Verdict {
  /** The name of the first test that failed and its message; null if all passed. */
  failed: { name: string; message: string } | null;
  seconds: number;
}

const vitest = await createVitest("test", { watch: false, bail: 1, maxWorkers: 1, reporters: [{}] });
await vitest.standalone();
// Of the projects the one whose tests load their modules anew; the root project would never hear of changed files.
const isolated = vitest.projects.find(({ name }) => name === "programs");
if (!isolated) throw new Error("vitest.config.ts has no project `programs`");
process.send?.("ready");

async function obey({ changed, test }: Order): Promise<Verdict> {
  for (const file of changed) vitest.invalidateFile(file);
  const began = performance.now();
  const specification = isolated.createSpecification(test);
  const { testModules, unhandledErrors } = await vitest.runTestSpecifications([specification]);
  const seconds = (performance.now() - began) / 1000;
  const module = testModules.find(({ moduleId }) => moduleId === test);
  let failed: Verdict["failed"] = null;
  for (const one of module?.children.allTests() ?? []) {
    const result = one.result();
    if (result.state !== "failed") continue;
    failed = { name: one.fullName, message: result.errors[0]?.message ?? "" };
    break;
  }
  if (!failed && (unhandledErrors.length > 0 || !module?.ok())) {
    const error = module?.errors()[0] ?? (unhandledErrors[0] as { message?: string } | undefined);
    failed = { name: "(the file)", message: error?.message ?? "it did not run" };
  }
  return { failed, seconds };
}

process.on("message", (order: Order) => {
  obey(order).then(
    (verdict) => process.send?.(verdict),
    (error) => process.send?.({ failed: { name: "(vitest)", message: String(error) }, seconds: 0 }),
  );
});
