import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig } from "vitest/config";

/** The modules of `src/lib`, without a browser. What needs one is tested in one: `tests/web/browser`. */
export default defineConfig({
  plugins: [svelte()],
  // Runes as the page has them, and not those of a server that renders it.
  resolve: { conditions: ["browser"] },
  test: { include: ["tests/*.test.ts"], environment: "node", pool: "threads", maxWorkers: 1 },
});
