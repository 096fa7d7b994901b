import { defineConfig } from "vitest/config";

export default defineConfig({
  test: { include: ["src/**/*.test.ts", "studio/**/*.test.ts", "test/**/*.test.ts"], testTimeout: 60_000 },
});
