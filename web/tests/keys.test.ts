import { afterEach, expect, test, vi } from "vitest";
import { openBrowser } from "./browser-fakes.ts";

afterEach(() => vi.unstubAllGlobals());

/** A server that has fitting events at these seqs, and counts what it is asked. */
async function load(seqs: number[]): Promise<{ keys: typeof import("../src/lib/keys.svelte.ts"); asked: () => number }> {
  vi.resetModules();
  openBrowser("/log/events", (name, value) => void vi.stubGlobal(name, value));
  vi.stubGlobal("localStorage", { getItem: () => null });
  let asked = 0;
  vi.stubGlobal("fetch", async (url: string) => {
    asked++;
    const offset = Number(new URL(url, "http://127.0.0.1").searchParams.get("offset"));
    return new Response(JSON.stringify({ total: seqs.length, offset, entries: seqs.slice(offset, offset + 1).map((seq) => ({ seq })) }));
  });
  return { keys: await import("../src/lib/keys.svelte.ts"), asked: () => asked };
}

test.each([
  [[], 5, { before: 0, after: 0 }],
  [[5], 5, { before: 0, after: 1 }],
  [[3, 5, 9], 5, { before: 1, after: 2 }],
  [[3, 5, 9], 4, { before: 1, after: 1 }],
  [[3, 5, 9], 1, { before: 0, after: 0 }],
  [[3, 5, 9], 99, { before: 3, after: 3 }],
])("of the events %j, around %s stand %j", async (seqs, seq, ranks) => {
  const { keys } = await load(seqs);
  expect(await keys.rankOf("/log/events.json", { rejections: 1 }, seq, 100)).toEqual(ranks);
});

test("the neighbour in a million events is found in few questions", async () => {
  const { keys, asked } = await load(Array.from({ length: 1_000_000 }, (_, index) => 2 * index + 1));
  expect(await keys.rankOf("/log/events.json", {}, 777_777, 2_000_000)).toEqual({ before: 388_888, after: 388_889 });
  expect(asked()).toBeLessThan(25);
});

test("a key of a screen goes before the key of the page, and is given back", async () => {
  const { keys } = await load([]);
  const done: string[] = [];
  const press = (key: string): void => keys.keyPressed({ key, target: null, preventDefault: () => done.push(`took ${key}`) } as unknown as KeyboardEvent);
  vi.stubGlobal("HTMLElement", class {});
  const first = keys.bindKey("?", () => void done.push("screen"));
  press("?");
  expect([done, keys.dialogs.open]).toEqual([["took ?", "screen"], ""]);
  const second = keys.bindKey("?", () => void done.push("newer screen"));
  first();
  press("?");
  expect(done.at(-1)).toBe("newer screen");
  second();
  press("?");
  expect(keys.dialogs.open).toBe("help");
  press("Q");
  expect(done.at(-1)).not.toBe("took Q");
});
