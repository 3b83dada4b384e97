import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig, type Plugin } from "vite";

const SERVER = process.env["ESAA_SERVER"] ?? "http://127.0.0.1:8111";

/** The page names no other host, not even in a message: Svelte's own messages point to its site. */
function withoutAddresses(): Plugin {
  return {
    name: "without-addresses",
    enforce: "post",
    generateBundle(_options, bundle) {
      for (const file of Object.values(bundle)) {
        if (file.type === "chunk") file.code = file.code.replaceAll("https://svelte.dev/e/", "svelte/");
      }
    },
  };
}

export default defineConfig(({ command }) => ({
  // Below /assets/ a name with a hash is kept for ever; while developing, Vite serves from the root.
  base: command === "build" ? "/assets/" : "/",
  plugins: [svelte(), withoutAddresses()],
  build: {
    outDir: "../src/esaa/web/assets",
    emptyOutDir: true,
    assetsDir: "",
    sourcemap: false,
    target: "es2022",
    modulePreload: { polyfill: false },
    // One script and one style sheet: an exported file holds both.
    cssCodeSplit: false,
    rolldownOptions: { output: { codeSplitting: false } },
  },
  server: {
    proxy: { "^/.*(\\.json|/tail)(\\?.*)?$": { target: SERVER, changeOrigin: true } },
  },
}));
