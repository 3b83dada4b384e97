import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { openBrowser, type FakeBrowser } from "./browser-fakes.ts";

let browser: FakeBrowser;

async function load(address: string, head = 50): Promise<{ moment: typeof import("../src/lib/moment.svelte.ts").moment; route: typeof import("../src/lib/route.svelte.ts").route; askKept: typeof import("../src/lib/answer.svelte.ts").askKept }> {
  vi.resetModules();
  browser = openBrowser(address, (name, value) => void vi.stubGlobal(name, value));
  browser.answers.set("/log.json", { past: "log", kind: "log", head, head_hash: `hash-${head}`, names: [], actors: [], runs: [] });
  browser.answers.set("/log/board.json", { at: 1 });
  const { moment } = await import("../src/lib/moment.svelte.ts");
  const { route } = await import("../src/lib/route.svelte.ts");
  const { askKept } = await import("../src/lib/answer.svelte.ts");
  await moment.open(route.past);
  return { moment, route, askKept };
}

const asked = (): string => browser.asked.at(-1) ?? "";

beforeEach(() => vi.useRealTimers());
afterEach(() => vi.unstubAllGlobals());

test.each(["/log/board", "/log/board?at=HEAD"])("%s follows the head", async (address) => {
  const { moment } = await load(address);
  await moment.settle();
  expect([moment.isLive, moment.at]).toEqual([true, 50]);
  browser.tails[0]?.tell("entry", { seq: 51, leaf_hash: "hash-51" }, "51");
  await browser.settle(400);
  expect([moment.isLive, moment.at]).toEqual([true, 51]);
  expect(browser.steps).toEqual([address]);
});

test("a number in the address stays, and no moment lies beyond the head", async () => {
  expect((await load("/log/board?at=12")).moment.at).toBe(12);
  expect((await load("/log/board?at=%2312")).moment.at).toBe(12);
  expect((await load("/log/board?at=99")).moment.at).toBe(50);
  expect((await load("/log/board?at=HEAD~3")).moment.at).toBe(null);
});

test("a question names the head that is known, and after growth the new one", async () => {
  const { moment, askKept } = await load("/log/board");
  await askKept(moment.question("board", { since: 3 }) ?? "");
  expect(asked()).toBe("/log/board.json?at=50&since=3&head=hash-50");
  browser.tails[0]?.tell("entry", { seq: 51, leaf_hash: "hash-51" }, "51");
  await browser.settle(400);
  await askKept(moment.question("board") ?? "");
  expect(asked()).toBe("/log/board.json?at=51&head=hash-51");
});

test("what was seen is not asked for again", async () => {
  const { askKept } = await load("/log/board");
  await askKept("/log/board.json?at=3");
  const before = browser.asked.length;
  await askKept("/log/board.json?at=3");
  expect(browser.asked.length).toBe(before);
});

test("while something is wrong with the log no head is named, and all is asked anew", async () => {
  const { askKept } = await load("/log/board");
  await askKept("/log/board.json?at=3");
  browser.tails[0]?.tell("problem", { code: "CORRUPT", message: "It breaks.", hint: "" });
  await askKept("/log/board.json?at=3");
  expect(asked()).toBe("/log/board.json?at=3");
});

test("another log is seen when the listener is back, by the hash of its event", async () => {
  const { moment } = await load("/log/board");
  browser.tails[0]?.tell("ready", { head: 50, hash: "hash-50" }, "50");
  expect(moment.wasReplaced).toBe(false);
  browser.tails[0]?.tell("ready", { head: 50, hash: "of another log" }, "50");
  expect(moment.wasReplaced).toBe(true);
});

test("an answer that was under way when the log was replaced is not kept", async () => {
  const { askKept } = await load("/log/board");
  const late = askKept("/log/board.json?at=3");
  browser.tails[0]?.tell("reset", { head: 9 }, "9");
  await late;
  const before = browser.asked.length;
  await askKept("/log/board.json?at=3");
  expect(browser.asked.length).toBeGreaterThan(before);
});

test("what was heard before one looked away is no other log", async () => {
  const { moment } = await load("/log/board");
  browser.tails[0]?.tell("entry", { seq: 51, leaf_hash: "hash-51" }, "51");
  moment.attend(false);
  moment.attend(true);
  expect(browser.tails[1]?.address).toBe("/log/tail?since=51");
  browser.tails[1]?.tell("ready", { head: 51, hash: "hash-51" }, "51");
  await browser.settle(400);
  expect([moment.wasReplaced, moment.at]).toEqual([false, 51]);
});

test("the graph of an event may still grow", async () => {
  const { moment } = await load("/log/graph?at=12");
  expect(moment.question("graph")).toBe("/log/graph.json?at=12#50");
});
