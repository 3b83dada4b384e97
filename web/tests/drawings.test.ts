import { expect, test, vi } from "vitest";
import type { Entry, LanesView } from "../src/lib/answers.ts";
import { actorColour, hueOf } from "../src/lib/colours.ts";
import { NODE_WIDTH, placed } from "../src/lib/graph-layout.ts";
import { graphOf } from "../src/lib/inlined-graph.ts";
import { patchOf } from "../src/lib/inlined-patch.ts";
import { heightOf, hitAt, LABELS, LANE, placesOf, seqAt, TOP, xOf } from "../src/lib/lane-chart.ts";
import { SCREENS } from "../src/lib/screens.ts";
import { addressOfQuestion } from "../src/lib/source.ts";

vi.hoisted(() => vi.stubGlobal("document", { getElementById: () => null }));

function entry(seq: number, cause: number | null = null, second = seq): Entry {
  return { seq, event_id: `e${seq}`, ts: `2026-01-01T00:00:${String(second).padStart(2, "0")}Z`, actor: "a", name: "claim", subject: null, summary: "", leaf_hash: "", correlation_id: null, causation_id: cause === null ? null : `e${cause}`, is_rejection: false };
}

const LANES: LanesView = {
  past: "log", at: 4, cli: "", axis: "order", first: 1, last: 4, width: 100, ticks: [], gaps: [],
  lanes: [
    { actor: "one", spans: [{ from: 0, to: 50, seq_first: 1, seq_last: 2, label: "", kind: "work", count: 1 }, { from: 20, to: 22, seq_first: 1, seq_last: 1, label: "", kind: "event", count: 1 }] },
    { actor: "two", spans: [{ from: 50, to: 100, seq_first: 3, seq_last: 4, label: "", kind: "review", count: 1 }] },
  ],
};

test("the shorter of two spans is hit, in its own lane alone", () => {
  expect(heightOf(LANES)).toBe(TOP + 2 * LANE + 12);
  expect(hitAt(LANES, LABELS + 21, TOP + 5, 1)?.span.kind).toBe("event");
  expect(hitAt(LANES, LABELS + 40, TOP + 5, 1)?.span.kind).toBe("work");
  expect(hitAt(LANES, LABELS + 75, TOP + 5, 1)).toBe(null);
  expect(hitAt(LANES, LABELS + 75, TOP + LANE + 5, 1)?.actor).toBe("two");
  expect(hitAt(LANES, LABELS - 1, TOP + 5, 1)).toBe(null);
});

test("a moment between two marks stands at the one before it", () => {
  const places = placesOf(LANES);
  expect(places.map((place) => place.seq)).toEqual([1, 2, 4]);
  expect([xOf(places, 0, 100), xOf(places, 2, 100), xOf(places, 3, 100), xOf(places, 9, 100)]).toEqual([22, 50, 50, 100]);
  expect(xOf([], 1, 100)).toBe(null);
  expect([seqAt(places, 0), seqAt(places, 60), seqAt(places, 99), seqAt([], 1)]).toEqual([1, 2, 4, null]);
});

test("machinery is grey, and every actor keeps its colour", () => {
  const actors = ["orchestrator", "agent-a", "runtime-x", "agent-b"];
  expect(actors.map((name) => hueOf(name, actors))).toEqual([-1, 0, -1, 1]);
  expect(actorColour("nobody", actors)).toBe("actor-none");
});

test("causes stand on the left of their effects, and no two events on each other", () => {
  const nodes = [3, 1, 2].map((seq) => ({ ...entry(seq), depth: 0 }));
  const view = { past: "log", at: 1, cli: "", nodes, edges: [{ from: 1, to: 2, seconds: 1, kind: "caused" as const }, { from: 1, to: 3, seconds: 1, kind: "enabled" as const }, { from: 9, to: 1, seconds: 1, kind: "caused" as const }], critical: [1, 3], is_cut: false };
  const found = placed(view);
  const x = new Map(found.nodes.map((node) => [node.entry.seq, node.x]));
  expect((x.get(2) ?? 0) - (x.get(1) ?? 0)).toBeGreaterThan(NODE_WIDTH);
  expect(new Set(found.nodes.map((node) => `${node.x} ${node.y}`)).size).toBe(3);
  expect(found.edges.map((edge) => [edge.key, edge.isCritical, edge.isEnabled])).toEqual([["1 2", false, false], ["1 3", true, true]]);
});

test("a graph ends at its depth, at its size, and where causes go in a circle", () => {
  const chain = [entry(1), entry(2, 1), entry(3, 2), entry(4, 3), entry(5, 3, 4)];
  const graph = (focus: number, depth: number, most: number, of = chain): { nodes: { seq: number; depth: number }[]; critical: number[]; is_cut: boolean } => graphOf(of, [], of[focus - 1] as Entry, depth, most) as never;
  expect(graph(3, 1, 99).nodes.map((node) => [node.seq, node.depth])).toEqual([[2, -1], [3, 0], [4, 1], [5, 1]]);
  expect([graph(3, 1, 99).is_cut, graph(3, 9, 99).is_cut, graph(3, 9, 2).is_cut]).toEqual([true, false, true]);
  // Of two ways that took equally long, the one that ends last.
  expect(graph(3, 9, 99).critical).toEqual([1, 2, 3, 5]);
  expect(graph(1, 9, 99, [entry(1)]).critical).toEqual([1]);
  expect(graph(1, 9, 99, [entry(1, 2), entry(2, 1)]).nodes.length).toBe(2);
});

test("a graph goes on through what made an event possible, and waits for what came last", () => {
  // 1 and 2 begin; 3 needs both; 4 names 3 as its cause; 5 and 6 need 3, and 6 takes longer.
  const entries = [entry(1), entry(2, null, 5), entry(3, null, 6), entry(4, 3, 6), entry(5, null, 7), entry(6, null, 30)];
  const found = graphOf(entries, [[], [], [1, 2], [], [3], [3, 99]], entries[2] as Entry, 3, 99) as { edges: object[]; critical: number[]; is_cut: boolean };
  expect(found.edges).toEqual([
    { from: 1, to: 3, seconds: 5, kind: "enabled" },
    { from: 2, to: 3, seconds: 1, kind: "enabled" },
    { from: 3, to: 4, seconds: 0, kind: "caused" },
    { from: 3, to: 5, seconds: 1, kind: "enabled" },
    { from: 3, to: 6, seconds: 24, kind: "enabled" },
  ]);
  expect(found.critical).toEqual([2, 3, 6]);
});

test("a patch says what a reader needs to get from one text to the other", () => {
  expect(patchOf("same\n", "same\n")).toBe(null);
  expect(patchOf("", "a\nb\n")).toBe("@@ -0,0 +1,2 @@\n+a\n+b\n");
  expect(patchOf("a\n", "")).toBe("@@ -1,1 +0,0 @@\n-a\n");
  const lines = Array.from({ length: 30 }, (_, index) => `line ${index + 1}`);
  const other = lines.with(4, "five").with(24, "twenty-five");
  const patch = patchOf(`${lines.join("\n")}\n`, `${other.join("\n")}\n`) ?? "";
  expect(patch.match(/^@@.*@@$/gm)).toEqual(["@@ -2,7 +2,7 @@", "@@ -22,7 +22,7 @@"]);
  expect(patch).toContain("-line 5\n+five\n");
});

test("the same question is the same text", () => {
  expect(addressOfQuestion("/log/board.json", { at: 0, since: null, status: "", after: undefined })).toBe("/log/board.json?at=0");
  expect(addressOfQuestion("/log.json")).toBe("/log.json");
});

test("every screen has a key of its own, which no other move has after g", () => {
  const keys = SCREENS.map((screen) => screen.key);
  expect(new Set(keys).size).toBe(keys.length);
  expect(keys).not.toContain("o");
});
