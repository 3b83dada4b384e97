import { expect, test } from "vitest";
import type { Change, Json } from "../src/lib/answers.ts";
import { changesOf } from "../src/lib/changes.ts";
import { isOnOneWay, namesOf, pointerOf } from "../src/lib/pointers.ts";

const ops = (changes: Change[]): string[] => changes.map((one) => `${one.op} ${one.pointer}`);

/** Does the changes one after the other, as whoever reads them would. */
function applied(value: Json, changes: Change[]): Json {
  let root = structuredClone(value);
  for (const change of changes) {
    const names = namesOf(change.pointer);
    const last = names.pop();
    if (last === undefined) {
      root = change.after;
      continue;
    }
    const place = names.reduce((inner, name) => (inner as Record<string, Json>)[name] as Json, root) as Record<string, Json>;
    if (change.op !== "remove") place[last] = change.after;
    else if (Array.isArray(place)) expect(place.splice(Number(last), 1)).toEqual([change.before]);
    else delete place[last];
  }
  return root;
}

test.each<[Json, Json]>([
  [{ a: 1, b: 2 }, { b: 3, c: 4 }],
  [{ a: [1, 2, 3, 4] }, { a: [1, 5] }],
  [{ a: [1] }, { a: [1, 2, 3] }],
  [[[1, 2], 3], [[2]]],
  [{ a: { "x/y": 1, "m~n": [1] } }, { a: { "x/y": 2, "m~n": [] } }],
  [{ a: null }, { a: {} }],
  [1, "1"],
])("the changes from %j lead to %j", (before, after) => {
  expect(applied(before, changesOf(before, after, ""))).toEqual(after);
});

test("a list loses its end first, so that each pointer names what it says", () => {
  expect(ops(changesOf([1, 2, 3], [1], "/list"))).toEqual(["remove /list/2", "remove /list/1"]);
  expect(ops(changesOf([1], [1, 2, 3], "/list"))).toEqual(["add /list/1", "add /list/2"]);
});

test("what is not there differs from null", () => {
  expect(ops(changesOf(undefined, null, "/a"))).toEqual(["add /a"]);
  expect(ops(changesOf(null, undefined, "/a"))).toEqual(["remove /a"]);
  expect(changesOf({ a: [1, { b: 2 }] }, { a: [1, { b: 2 }] }, "")).toEqual([]);
});

test("a member may have the name of something that every object has", () => {
  const before = JSON.parse('{"tasks":{"__proto__":{"status":"todo"},"constructor":1}}') as Json;
  const after = JSON.parse('{"tasks":{"__proto__":{"status":"done"}}}') as Json;
  expect(ops(changesOf(before, after, ""))).toEqual(["replace /tasks/__proto__/status", "remove /tasks/constructor"]);
});

test("pointers hold every name", () => {
  for (const names of [[], [""], ["a", "b/c", "~1", "m~n", "0"]]) expect(namesOf(pointerOf(names))).toEqual(names);
  expect(pointerOf(["~/"])).toBe("/~0~1");
});

test("parts lie on one way by whole names", () => {
  expect(isOnOneWay("/tasks/T-1", "/tasks")).toBe(true);
  expect(isOnOneWay("/tasks", "/tasks/T-1/status")).toBe(true);
  expect(isOnOneWay("/tasks/T-1", "")).toBe(true);
  expect(isOnOneWay("/tasks/T-1", "/tasks/T-10")).toBe(false);
});
