/** The causation graph of an event, from the entries of an exported file. */

import type { Entry } from "./answers.ts";

export function graphOf(entries: Entry[], focus: Entry, depth: number, most: number): object {
  const byId = new Map(entries.map((entry) => [entry.event_id, entry]));
  const effects = new Map<string, Entry[]>();
  for (const entry of entries) {
    if (entry.causation_id !== null) effects.set(entry.causation_id, [...(effects.get(entry.causation_id) ?? []), entry]);
  }
  const depths = new Map([[focus.seq, 0]]);
  let isCut = false;
  const walk = (next: (entry: Entry) => Entry[], sign: 1 | -1): void => {
    let row = [focus];
    for (let step = 1; row.length > 0; step++) {
      const found = row.flatMap(next).filter((entry) => !depths.has(entry.seq));
      if (step > depth) {
        isCut ||= found.length > 0;
        return;
      }
      row = [];
      for (const entry of found) {
        if (depths.has(entry.seq)) continue;
        if (depths.size >= most) {
          isCut = true;
          return;
        }
        depths.set(entry.seq, sign * step);
        row.push(entry);
      }
    }
  };
  walk((entry) => [byId.get(entry.causation_id ?? "")].filter((one) => one !== undefined), -1);
  walk((entry) => effects.get(entry.event_id) ?? [], 1);

  const nodes = entries.filter((entry) => depths.has(entry.seq)).map((entry) => ({ ...entry, depth: depths.get(entry.seq) ?? 0 }));
  const edges = nodes.flatMap((node) => {
    const cause = byId.get(node.causation_id ?? "");
    return cause !== undefined && depths.has(cause.seq) ? [{ from: cause.seq, to: node.seq, seconds: (Date.parse(node.ts) - Date.parse(cause.ts)) / 1000 }] : [];
  });
  return { nodes, edges, critical: slowest([focus, ...nodes.filter((node) => node.depth > 0)], byId, depths), is_cut: isCut, cli: `esaa graph ${focus.seq} --depth ${depth}` };
}

/** Of the chains that end in one of these events the one that took longest; of equals, the one that ends last. */
function slowest(ends: Entry[], byId: Map<string, Entry>, depths: Map<number, number>): number[] {
  let best: number[] = [];
  let longest = -1;
  let last = 0;
  for (const node of ends) {
    const chain = [node.seq];
    let first = node;
    for (let cause = byId.get(node.causation_id ?? ""); cause !== undefined && depths.has(cause.seq) && !chain.includes(cause.seq); cause = byId.get(cause.causation_id ?? "")) {
      chain.push(cause.seq);
      first = cause;
    }
    const took = Date.parse(node.ts) - Date.parse(first.ts);
    if (took > longest || (took === longest && node.seq > last)) {
      longest = took;
      last = node.seq;
      best = chain.reverse();
    }
  }
  return best;
}
