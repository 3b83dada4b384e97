import { afterEach, expect, test, vi } from "vitest";
import { openBrowser, type FakeBrowser } from "./browser-fakes.ts";

let browser: FakeBrowser;

async function load(address: string): Promise<typeof import("../src/lib/route.svelte.ts")> {
  vi.resetModules();
  browser = openBrowser(address, (name, value) => void vi.stubGlobal(name, value));
  return import("../src/lib/route.svelte.ts");
}

afterEach(() => vi.unstubAllGlobals());

test.each(["/", "/log/board?at=12&since=3", "/log/state?pointer=/tasks/T-1&at=2026-01-01T00:00:00Z", "/log/bisect?where=a%3Fb%3D1%26c", "/a%2Fb/events"])("%s is read and written the same", async (address) => {
  const { parsePlace, addressOf } = await load("/");
  expect(parsePlace(addressOf(parsePlace(address)))).toEqual(parsePlace(address));
});

test("a query may hold question marks, and a path what no one can decode", async () => {
  const { parsePlace } = await load("/");
  expect(parsePlace("/log/bisect?where=tasks[?x]").query).toEqual({ where: "tasks[?x]" });
  expect(parsePlace("/%E0%A4%A/board").past).toBe("%E0%A4%A");
  expect(parsePlace("/log")).toEqual({ past: "log", screen: "events", query: {} });
});

test("the cursor goes along to another screen, what belongs to a screen stays behind", async () => {
  const { route } = await load("/log/events?at=5&since=2&q=claim");
  expect(route.href("board")).toBe("/log/board?at=5&since=2");
  expect(route.href("events", { q: null })).toBe("/log/events?at=5&since=2");
  expect(route.href("events", {}, "PROJ-1")).toBe("/PROJ-1/events");
});

test("what was set a moment ago belongs to the step that one leaves", async () => {
  const { route } = await load("/log/events?at=1");
  route.set({ at: 5 });
  route.go("board");
  expect(browser.steps).toEqual(["/log/events?at=5", "/log/board?at=5"]);
  await browser.settle(150);
  expect(browser.steps).toEqual(["/log/events?at=5", "/log/board?at=5"]);
});

test("a rush of moments is one change of the address", async () => {
  const { route } = await load("/log/events");
  const replaced = vi.spyOn(history, "replaceState");
  for (let at = 1; at <= 40; at++) route.set({ at });
  await browser.settle(150);
  expect(browser.steps).toEqual(["/log/events?at=40"]);
  expect(replaced).toHaveBeenCalledTimes(1);
});
