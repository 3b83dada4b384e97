/** Who acted when, from the entries of an exported file. */

import type { Entry, Span } from "./answers.ts";
import { clock } from "./format.ts";

const IDLE_S = 1800;
const WORK: Record<string, string> = { complete: "work", review: "review" };
const ACTS = new Set(["task.create", "hotfix.create", "claim", "complete", "review"]);

export function lanesOf(all: Entry[], query: URLSearchParams): object {
  const head = all.at(-1)?.seq ?? 0;
  const first = Number((query.get("first") ?? "1").replace("#", ""));
  const last = Number((query.get("last") ?? String(head)).replace("#", "")) || head;
  const width = Number(query.get("width") ?? 1000);
  const axis = query.get("axis") ?? "wall";
  const entries = all.filter((entry) => entry.seq >= first && entry.seq <= last);
  const times = entries.map((entry) => Date.parse(entry.ts) / 1000);

  // Where each event stands, before scaling: by the clock without long idle times, by busy time, or by its number.
  const gaps: { x: number; seconds: number }[] = [];
  const places: number[] = [];
  const idle = axis === "busy" ? 60 : IDLE_S;
  let place = 0;
  const whole = (times.at(-1) ?? 0) - (times[0] ?? 0);
  const byOrder = axis === "order" || whole <= 0;
  times.forEach((time, index) => {
    const passed = index === 0 ? 0 : Math.max(0, time - (times[index - 1] ?? time));
    if (byOrder) place = index;
    else if (passed > idle) {
      if (axis === "wall") gaps.push({ x: place + idle / 2, seconds: passed });
      place += idle;
    } else place += passed;
    places.push(place);
  });
  const scale = width / Math.max(1e-9, byOrder ? entries.length : (places.at(-1) ?? 0));

  const lanes = new Map<string, Span[]>();
  const handed = new Map<string, number>();
  const acted = new Map<string, number>();
  entries.forEach((entry, index) => {
    const end = ((places[index] ?? 0) + (byOrder ? 1 : 0)) * scale;
    const task = entry.subject ?? "";
    const began = entry.name in WORK ? Math.max(handed.get(task) ?? -1, acted.get(entry.actor) ?? -1) : -1;
    const start = began >= 0 ? (places[began] ?? 0) * scale : (places[index] ?? 0) * scale;
    const span: Span = {
      from: start,
      to: end,
      seq_first: began >= 0 ? (entries[began]?.seq ?? entry.seq) : entry.seq,
      seq_last: entry.seq,
      label: entry.summary,
      kind: entry.is_rejection ? "rejection" : began >= 0 ? (WORK[entry.name] ?? "event") : "event",
      count: 1,
    };
    lanes.set(entry.actor, [...(lanes.get(entry.actor) ?? []), span]);
    if (ACTS.has(entry.name)) handed.set(task, index);
    acted.set(entry.actor, index);
  });

  const ticks = Array.from({ length: Math.min(9, entries.length) }, (_, tick) => {
    const index = Math.round((tick * (entries.length - 1)) / Math.max(1, Math.min(9, entries.length) - 1));
    return { x: (places[index] ?? 0) * scale, label: byOrder ? `#${entries[index]?.seq ?? ""}` : clock(entries[index]?.ts ?? "").slice(0, whole < 3600 ? 8 : 5) };
  });
  return {
    axis,
    first,
    last,
    width,
    lanes: [...lanes].map(([actor, spans]) => ({ actor, spans })),
    ticks,
    gaps: gaps.map((gap) => ({ x: gap.x * scale, seconds: gap.seconds })),
    cli: `esaa log ${first}..${last}`,
  };
}
