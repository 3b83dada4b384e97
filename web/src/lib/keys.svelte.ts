/** What the keys do. Screens add their own; `?` lists all of them. */

import type { EventsView, NotesView } from "./answers.ts";
import { forget } from "./answer.svelte.ts";
import { moment } from "./moment.svelte.ts";
import { route } from "./route.svelte.ts";
import { SCREENS } from "./screens.ts";
import { addressOfQuestion, ask, send } from "./source.ts";
import { theme } from "./theme.svelte.ts";

/** Which dialog stands open. */
class Dialogs {
  open: "" | "help" | "goto" | "note" = $state("");
}

export const dialogs = new Dialogs();

type Act = () => void | Promise<void>;
const own = new Map<string, Act>();
let isGoing = false;
let goingTimer: ReturnType<typeof setTimeout> | undefined;

/** Adds a key of a screen while that screen is shown. Gives the function that takes it away. */
export function bindKey(key: string, act: Act): () => void {
  own.set(key, act);
  return () => own.get(key) === act && own.delete(key);
}

/** True where a key belongs to what has the focus: text fields, the slider, lists of choices. */
export function isTyping(event: KeyboardEvent): boolean {
  if (event.ctrlKey || event.metaKey || event.altKey) return true;
  const target = event.target;
  if (!(target instanceof HTMLElement)) return false;
  if (dialogs.open !== "") return true;
  if (target instanceof HTMLInputElement && target.type === "range") return /^(Arrow|Home|End|Page)/.test(event.key);
  return target instanceof HTMLInputElement || target instanceof HTMLTextAreaElement || target instanceof HTMLSelectElement;
}

export function keyPressed(event: KeyboardEvent): void {
  const key = event.key;
  if (isGoing) {
    isGoing = false;
    clearTimeout(goingTimer);
    const screen = SCREENS.find((one) => one.key === key);
    if (screen !== undefined && route.past !== null) route.go(screen.name);
    else if (key === "o") route.open("/");
    else return;
    event.preventDefault();
    return;
  }
  const act = own.get(key) ?? (route.past === null ? ALWAYS[key] : (ALWAYS[key] ?? IN_PAST[key]));
  if (act === undefined) return;
  // Buttons and links keep their own keys.
  if ((key === "Enter" || key === " ") && event.target instanceof HTMLElement && event.target.closest("a, button")) return;
  event.preventDefault();
  void act();
}

const ALWAYS: Record<string, Act> = {
  "?": () => {
    dialogs.open = "help";
  },
  g: () => {
    isGoing = true;
    clearTimeout(goingTimer);
    goingTimer = setTimeout(() => (isGoing = false), 1200);
  },
  t: () => theme.toggle(),
};

const IN_PAST: Record<string, Act> = {
  j: () => moment.step(1),
  k: () => moment.step(-1),
  ArrowRight: () => moment.step(1),
  ArrowLeft: () => moment.step(-1),
  J: () => moment.step(10),
  K: () => moment.step(-10),
  Home: () => moment.to(0, true),
  End: () => moment.live(),
  n: () => nearest("subject", 1),
  p: () => nearest("subject", -1),
  r: () => nearest("rejections", 1),
  R: () => nearest("rejections", -1),
  s: () => moment.setSince(moment.at),
  S: () => moment.setSince(null),
  x: swap,
  ".": () => {
    dialogs.open = "goto";
  },
  m: bookmark,
};

/** Compares the other way round. */
function swap(): void {
  if (moment.since !== null && moment.at !== null) route.set({ at: moment.since, since: moment.at }, true);
}

let turn: Promise<void> = Promise.resolve();

/** Goes to the next or previous event of the same task, or that was refused. Keys pressed quickly take their turns. */
export function nearest(by: "subject" | "rejections", step: 1 | -1): Promise<void> {
  turn = turn.then(() => toNearest(by, step)).catch(() => undefined);
  return turn;
}

async function toNearest(by: "subject" | "rejections", step: 1 | -1): Promise<void> {
  const { at, meta, head } = moment;
  if (at === null || meta === null) return;
  const path = `/${encodeURIComponent(meta.past)}/events.json`;
  const filter: Record<string, string | number> = {};
  if (by === "rejections") {
    filter["rejections"] = 1;
  } else {
    const here = await ask<EventsView>(addressOfQuestion(path, { offset: Math.max(0, at - 1), count: 1 }));
    const subject = here.entries[0]?.subject;
    if (!subject) return;
    filter["subject"] = subject;
  }
  const rank = await rankOf(path, filter, at, head);
  const wanted = step > 0 ? rank.after : rank.before - 1;
  if (wanted < 0) return;
  const found = await ask<EventsView>(addressOfQuestion(path, { ...filter, offset: wanted, count: 1 }));
  const entry = found.entries[0];
  if (entry !== undefined) moment.to(entry.seq, true);
}

/** How many fitting events stand before a seq, and up to it: a search by halves over their ranks. */
export async function rankOf(
  path: string,
  filter: Record<string, string | number | null>,
  seq: number,
  _head: number,
): Promise<{ before: number; after: number }> {
  let low = 0;
  let high = (await ask<EventsView>(addressOfQuestion(path, { ...filter, offset: 0, count: 1 }))).total;
  while (low < high) {
    const middle = (low + high) >> 1;
    const page = await ask<EventsView>(addressOfQuestion(path, { ...filter, offset: middle, count: 1 }));
    const entry = page.entries[0];
    if (entry === undefined || entry.seq >= seq) high = middle;
    else low = middle + 1;
  }
  const here = (await ask<EventsView>(addressOfQuestion(path, { ...filter, offset: low, count: 1 }))).entries[0];
  return { before: low, after: here?.seq === seq ? low + 1 : low };
}

/** Marks the moment, or takes the mark away. */
export async function bookmark(): Promise<void> {
  const { at, meta } = moment;
  if (at === null || meta === null) return;
  const base = `/${encodeURIComponent(meta.past)}/notes`;
  const { notes } = await ask<NotesView>(`${base}.json`);
  const there = notes.find((note) => note.kind === "bookmark" && note.seq === at);
  if (there !== undefined) await send("DELETE", `${base}/${there.note_id}.json`);
  else await send("PUT", `${base}/${crypto.randomUUID()}.json`, { seq: at, kind: "bookmark", text: "" });
  forget();
  notesChanged.count++;
}

class NotesChanged {
  count = $state(0);
}

/** Counts the changes of notes, so that what shows them asks again. */
export const notesChanged = new NotesChanged();

export const KEYS: { title: string; keys: [string[], string][] }[] = [
  {
    title: "Move in time",
    keys: [
      [["j", "→"], "next event"],
      [["k", "←"], "previous event"],
      [["J"], "ten events on"],
      [["K"], "ten events back"],
      [["n"], "next event of its task"],
      [["p"], "previous event of its task"],
      [["r"], "next rejection"],
      [["R"], "previous rejection"],
      [["Home"], "the beginning"],
      [["End"], "the head, and follow it"],
      [["."], "go to any moment"],
    ],
  },
  {
    title: "Compare and mark",
    keys: [
      [["s"], "compare from here"],
      [["S"], "stop comparing"],
      [["x"], "swap the two moments"],
      [["m"], "bookmark this moment"],
    ],
  },
  {
    title: "The page",
    keys: [
      [["/"], "search (events)"],
      [["t"], "light or dark"],
      [["?"], "this list"],
      [["Esc"], "close"],
    ],
  },
];
