import { defineConfig } from "vitest/config";

const programs = [
  "test/browser/**/*.test.ts",
  "test/cli/**/*.test.ts",
  "test/*.test.ts",
  // It puts others in the place of modules, which its worker must not have loaded before.
  "src/runs/figures.test.ts",
];

export default defineConfig({
  test: {
    testTimeout: 60_000,
    // What was built is tested as it is.
    server: { deps: { external: [/\/dist\//] } },
    projects: [
      {
        extends: true,
        // Files share the modules of their worker: loading them for each took a third of the time.
        test: {
          name: "units",
          include: ["src/**/*.test.ts", "studio/**/*.test.ts", "test/**/*.test.ts"],
          exclude: programs,
          isolate: false,
        },
      },
      { extends: true, test: { name: "programs", include: programs } },
    ],
  },
});
