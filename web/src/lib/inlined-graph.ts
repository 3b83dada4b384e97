/** The causation graph of an event, from the entries of an exported file. Its rules are those of the server. */

import type { Entry } from "./answers.ts";

interface Step {
  from: number;
  to: number;
  seconds: number;
  kind: "caused" | "enabled";
}

/** `premises` names, for each entry, the events that made it possible; it has some only where it names no cause. */
export function graphOf(entries: Entry[], premises: number[][], focus: Entry, depth: number, most: number): object {
  const byId = new Map(entries.map((entry) => [entry.event_id, entry]));
  const bySeq = new Map(entries.map((entry) => [entry.seq, entry]));
  const before = new Map<number, Step[]>();
  const after = new Map<number, number[]>();
  entries.forEach((entry, index) => {
    const cause = byId.get(entry.causation_id ?? "");
    const found = cause !== undefined ? [cause] : (premises[index] ?? []).flatMap((seq) => bySeq.get(seq) ?? []);
    const kind = cause !== undefined ? "caused" : "enabled";
    before.set(entry.seq, found.map((one) => ({ from: one.seq, to: entry.seq, seconds: secondsBetween(one, entry), kind })));
    for (const one of found) after.set(one.seq, [...(after.get(one.seq) ?? []), entry.seq]);
  });

  const depths = new Map([[focus.seq, 0]]);
  let isCut = false;
  const walk = (next: (seq: number) => number[], sign: 1 | -1): void => {
    let row = [focus.seq];
    for (let step = 1; step <= depth + 1; step++) {
      const following: number[] = [];
      for (const seq of row.flatMap(next)) {
        if (depths.has(seq)) continue;
        if (step > depth || depths.size >= most) {
          isCut = true;
          return;
        }
        depths.set(seq, sign * step);
        following.push(seq);
      }
      row = following;
    }
  };
  walk((seq) => (before.get(seq) ?? []).map((step) => step.from), -1);
  walk((seq) => after.get(seq) ?? [], 1);

  const nodes = entries.filter((entry) => depths.has(entry.seq)).map((entry) => ({ ...entry, depth: depths.get(entry.seq) ?? 0 }));
  const edges = nodes.flatMap((node) => (before.get(node.seq) ?? []).filter((step) => depths.has(step.from)));
  nodes.sort((one, other) => one.depth - other.depth || one.seq - other.seq);
  return { nodes, edges, critical: slowest(focus.seq, edges), is_cut: isCut, cli: `esaa graph ${focus.seq} --depth ${depth}` };
}

/** The slowest chain through an event: back by what came last of all it waited for, on to the end that took longest. */
function slowest(focus: number, edges: Step[]): number[] {
  const forward = edges.filter((edge) => edge.from < edge.to);
  const waited = new Map(forward.map((edge) => [edge.to, edge]));
  const took = new Map<number, { seconds: number; by: Step | null }>([[focus, { seconds: 0, by: null }]]);
  for (const edge of forward) {
    const start = took.get(edge.from);
    if (start === undefined) continue;
    const seconds = start.seconds + edge.seconds;
    if (seconds >= (took.get(edge.to)?.seconds ?? 0)) took.set(edge.to, { seconds, by: edge });
  }
  let last = focus;
  for (const [seq, { seconds }] of took) {
    const longest = took.get(last)?.seconds ?? 0;
    if (seconds > longest || (seconds === longest && seq > last)) last = seq;
  }
  const way = [last];
  for (let by = took.get(last)?.by; by; by = took.get(by.from)?.by) way.push(by.from);
  for (let by = waited.get(way.at(-1) ?? 0); by; by = waited.get(by.from)) way.push(by.from);
  return way.reverse();
}

/** Never less than 0, and 0 where a time cannot be read. */
function secondsBetween(one: Entry, later: Entry): number {
  const seconds = (Date.parse(later.ts) - Date.parse(one.ts)) / 1000;
  return seconds > 0 ? seconds : 0;
}
