/** The drawing of lanes, and what lies under the pointer. */

import type { LanesView, Span } from "./answers.ts";
import { actorColour } from "./colours.ts";
import { duration } from "./format.ts";

export const LABELS = 132;
export const TOP = 34;
export const LANE = 38;
const BAR = 20;

export const LANE_COLOURS = ["line", "line-strong", "ink", "ink-2", "ink-3", "paper", "sunken", "bad", "since", "since-soft", "accent", "raised", "actor-none", "actor-0", "actor-1", "actor-2", "actor-3", "actor-4", "actor-5"] as const;

export interface Hit {
  span: Span;
  actor: string;
  x: number;
  y: number;
}

export function heightOf(view: LanesView): number {
  return TOP + view.lanes.length * LANE + 12;
}

/** Where each seq stands: the ends of all spans, ascending, for what lies between them. */
export function placesOf(view: LanesView): { seq: number; x: number }[] {
  const places = view.lanes.flatMap((lane) => lane.spans.map((span) => ({ seq: span.seq_last, x: span.to })));
  return places.sort((one, other) => one.seq - other.seq || one.x - other.x);
}

export function xOf(places: { seq: number; x: number }[], seq: number, width: number): number | null {
  const last = places.at(-1);
  const first = places[0];
  if (first === undefined || last === undefined) return null;
  if (seq >= last.seq) return width;
  if (seq <= first.seq) return first.x;
  let low = 0;
  let high = places.length - 1;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if ((places[middle]?.seq ?? 0) <= seq) low = middle;
    else high = middle;
  }
  return places[low]?.x ?? null;
}

/** The seq nearest to a place of the chart. */
export function seqAt(places: { seq: number; x: number }[], x: number): number | null {
  let best: { seq: number; x: number } | null = null;
  for (const place of places) if (best === null || Math.abs(place.x - x) <= Math.abs(best.x - x)) best = place;
  return best?.seq ?? null;
}

/** What lies under a point of the chart: the shortest of the spans there, for it is the hardest to hit. */
export function hitAt(view: LanesView, x: number, y: number, scale: number): Hit | null {
  const row = Math.floor((y - TOP) / LANE);
  const lane = view.lanes[row];
  if (lane === undefined || x < LABELS) return null;
  const place = (x - LABELS) / scale;
  const slack = 3 / scale;
  let found: Span | null = null;
  for (const span of lane.spans) {
    if (span.from - slack > place || span.to + slack < place) continue;
    if (found === null || span.to - span.from <= found.to - found.from) found = span;
  }
  return found === null ? null : { span: found, actor: lane.actor, x, y };
}

export function drawLanes(
  context: CanvasRenderingContext2D,
  view: LanesView,
  colours: Record<string, string>,
  actors: readonly string[],
  width: number,
  font: string,
  marks: { at: number | null; since: number | null; hover: Span | null },
): void {
  const height = heightOf(view);
  const scale = (width - LABELS - 16) / view.width;
  const places = placesOf(view);
  const x = (place: number): number => LABELS + place * scale;
  const colour = (name: string): string => colours[name] ?? "#888";
  context.clearRect(0, 0, width, height);

  const at = marks.at === null ? null : xOf(places, marks.at, view.width);
  const since = marks.since === null ? null : xOf(places, marks.since, view.width);
  if (since !== null && at !== null) {
    context.fillStyle = colour("since-soft");
    context.fillRect(x(Math.min(since, at)), TOP - 6, Math.abs(at - since) * scale, height - TOP);
  }

  context.font = `11px ${font}`;
  context.textBaseline = "middle";
  // Where several events fall on one pixel, what was refused must not look like all that happened.
  const isDense = view.last - view.first > 4 * width;
  let labelEnd = -Infinity;
  for (const tick of view.ticks) {
    context.fillStyle = colour("line");
    context.fillRect(Math.round(x(tick.x)), TOP - 6, 1, height - TOP - 4);
    const half = context.measureText(tick.label).width / 2;
    const middle = Math.min(Math.max(x(tick.x), LABELS + half), width - half - 4);
    if (middle - half < labelEnd + 10) continue;
    context.fillStyle = colour("ink-3");
    context.textAlign = "center";
    context.fillText(tick.label, middle, 16);
    labelEnd = middle + half;
  }

  context.textAlign = "left";
  view.lanes.forEach((lane, row) => {
    const middle = TOP + row * LANE + LANE / 2 - 4;
    context.fillStyle = colour("line");
    context.fillRect(LABELS, Math.round(middle + LANE / 2), width - LABELS - 16, 1);
    const own = colour(actorColour(lane.actor, actors));
    context.fillStyle = own;
    context.fillRect(20, middle - 3.5, 7, 7);
    context.fillStyle = colour("ink");
    context.font = `12px ${font}`;
    context.fillText(cut(context, lane.actor, LABELS - 46), 33, middle);
    // What lasted lies below, marks of single events above it.
    for (const isMark of [false, true]) {
      for (const span of lane.spans) {
        const isShort = (span.to - span.from) * scale < 3;
        if (isShort !== isMark) continue;
        const isBad = span.kind === "rejection";
        const from = x(span.from);
        const wide = Math.max(2, (span.to - span.from) * scale - 1);
        context.globalAlpha = marks.at !== null && span.seq_first > marks.at ? 0.38 : 1;
        context.fillStyle = isBad ? colour("bad") : own;
        const tall = isShort && (isDense || !isBad) ? 10 : isBad ? BAR + 6 : BAR;
        if (wide > 6) {
          context.beginPath();
          context.roundRect(from, middle - tall / 2, wide, tall, 3);
          context.fill();
        } else {
          context.fillRect(from, middle - tall / 2, isBad ? (isDense ? 1 : 3) : wide, tall);
        }
        if (marks.hover === span) {
          context.globalAlpha = 1;
          context.strokeStyle = colour("ink");
          context.lineWidth = 1.5;
          context.strokeRect(from - 1.5, middle - tall / 2 - 1.5, wide + 3, tall + 3);
        }
        const label = /T-[\w.-]+/.exec(span.label)?.[0] ?? span.label;
        if (wide > 46) {
          context.fillStyle = colour("raised");
          context.font = `11px ${font}`;
          context.fillText(cut(context, label, wide - 10), from + 5, middle + 0.5);
        }
        context.globalAlpha = 1;
      }
    }
  });

  for (const gap of view.gaps) {
    const middle = x(gap.x);
    const label = duration(gap.seconds);
    context.font = `10.5px ${font}`;
    const wide = context.measureText(label).width + 10;
    context.strokeStyle = colour("line-strong");
    context.lineWidth = 1;
    context.setLineDash([3, 3]);
    context.beginPath();
    context.moveTo(middle, TOP - 4);
    context.lineTo(middle, height - 8);
    context.stroke();
    context.setLineDash([]);
    context.fillStyle = colour("sunken");
    context.beginPath();
    context.roundRect(middle - wide / 2, TOP - 9, wide, 15, 7);
    context.fill();
    context.fillStyle = colour("ink-2");
    context.textAlign = "center";
    context.fillText(label, middle, TOP - 1);
    context.textAlign = "left";
  }

  for (const [place, name] of [
    [since, "since"],
    [at, "accent"],
  ] as const) {
    if (place === null) continue;
    context.fillStyle = colour(name);
    context.fillRect(x(place) - 1, 24, 2, height - 28);
  }
}

function cut(context: CanvasRenderingContext2D, text: string, width: number): string {
  if (context.measureText(text).width <= width) return text;
  let end = text.length;
  while (end > 1 && context.measureText(`${text.slice(0, end)}…`).width > width) end--;
  return `${text.slice(0, end)}…`;
}
