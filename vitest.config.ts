import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["src/**/*.test.ts", "studio/**/*.test.ts", "test/**/*.test.ts"],
    testTimeout: 60_000,
    // What was built is tested as it is.
    server: { deps: { external: [/\/dist\//] } },
  },
});
