import { expect, test } from "vitest";
import { isPinnable, Kept } from "../src/lib/kept.ts";

function keptAt(head: string | null): Kept {
  const kept = new Kept(3);
  kept.headIs("log", head);
  return kept;
}

test.each(["/log/board.json?at=12&since=3", "/log/state.json?at=12&pointer=/tasks", "/log/events.json?offset=100&count=100", "/log/bisect.json?where=a&good=0&bad=%2312"])(
  "%s is decided by the log",
  (address) => {
    expect(isPinnable(address, "log")).toBe(true);
    expect(keptAt("h1").pinned(address)).toBe(`${address}&head=h1`);
  },
);

test.each([
  "/log/notes.json",
  "/notes.json",
  "/approvals.json",
  "/server.json",
  "/index.json",
  "/log.json",
  "/log/event.json?at=12",
  "/log/task.json?at=12&id=T-1",
  "/log/files.json?at=12",
  "/log/what-if.json?drop=3",
  "/log/state.json?at=HEAD",
  "/log/state.json?at=HEAD~3",
  "/log/board.json?at=12&since=@{2h}",
  "/log/bisect.json?where=a&bad=2026-01-01",
  "/PROJ-1/board.json?at=12",
])("%s is asked again", (address) => {
  expect(keptAt("h1").pinned(address)).toBe(address);
});

test("a question goes on under the head that it was first asked under", () => {
  const kept = keptAt("h1");
  expect(kept.pinned("/log/board.json?at=12")).toContain("head=h1");
  kept.headIs("log", "h2");
  expect(kept.pinned("/log/board.json?at=12")).toContain("head=h1");
  expect(kept.pinned("/log/board.json?at=13")).toContain("head=h2");
  // What stands behind the # says how long the log was: another length is another question.
  expect(kept.pinned("/log/events.json?offset=100#120")).toBe("/log/events.json?offset=100&head=h2");
  kept.headIs("log", "h3");
  expect(kept.pinned("/log/events.json?offset=100#121")).toBe("/log/events.json?offset=100&head=h3");
});

test("nothing of another log is asked for", () => {
  const kept = keptAt("h1");
  kept.put("/log/board.json?at=12", "old");
  kept.pinned("/log/board.json?at=12");
  const era = kept.era;
  kept.clear();
  kept.headIs("log", "other");
  expect(kept.has("/log/board.json?at=12")).toBe(false);
  expect(kept.era).not.toBe(era);
  expect(kept.pinned("/log/board.json?at=12")).toBe("/log/board.json?at=12&head=other");
});

test("no head is named while it is in doubt", () => {
  const kept = keptAt("h1");
  kept.headIs("log", null);
  expect(kept.pinned("/log/board.json?at=12")).toBe("/log/board.json?at=12");
});

test("the answer that nobody asked for longest goes first", () => {
  const kept = keptAt(null);
  for (const name of ["a", "b", "c"]) kept.put(name, name);
  kept.put("a", kept.get("a"));
  kept.put("d", "d");
  expect(["a", "b", "c", "d"].filter((name) => kept.has(name))).toEqual(["a", "c", "d"]);
});
