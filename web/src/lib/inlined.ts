/** Answers from the data of an exported file: the same questions, worked out from the values that each part ever had. */

import type { Card, Change, Entry, FileRow, Json, StateChild } from "./answers.ts";
import { changesOf } from "./changes.ts";
import { graphOf } from "./inlined-graph.ts";
import { lanesOf } from "./inlined-lanes.ts";
import { patchOf } from "./inlined-patch.ts";
import { isOnOneWay, namesOf, pointerOf } from "./pointers.ts";

type Version = [number, Json] | [number];
type Object_ = { [name: string]: Json };

export interface Inlined {
  format: number;
  index: Json;
  meta: { past: string; head: number; kind: string } & Record<string, unknown>;
  entries: Entry[];
  payloads: Json[];
  premises?: number[][];
  line_bytes?: number[];
  parts: Record<string, Version[]>;
  contents: Record<string, string>;
  answers: Record<string, Object_>;
  left_out: string[];
}

/** A question that the file cannot answer. `source.ts` makes a failure of it. */
export class NotInFile extends Error {
  hint: string;

  constructor(message: string, hint = "") {
    super(message);
    this.hint = hint;
  }
}

function versionAt(versions: Version[], at: number): Json | undefined {
  let found: Json | undefined;
  for (const version of versions) {
    if (version[0] > at) break;
    found = version.length === 2 ? version[1] : undefined;
  }
  return found;
}

const PREVIEW_CHARS = 80;
const WHOLE_MAX = 100;
const SMALL_BYTES = 32 * 1024;
/** What every state of a governed log has, be it empty. */
const MEMBERS = ["tasks", "issues", "lessons", "work", "files"];
const cut = (text: string): string => ([...text].length <= PREVIEW_CHARS ? text : `${[...text].slice(0, PREVIEW_CHARS - 1).join("")}…`);

/** The task that an issue is about: the one that it wants fixed, else the one that it was reported from. */
function aboutOf(issue: Object_): Json {
  const links = isObject(issue["links"]) ? issue["links"] : {};
  return links["fixes_task_id"] || links["reported_by_task_id"] || null;
}

const isObject = (value: unknown): value is Object_ => typeof value === "object" && value !== null && !Array.isArray(value);
const kindOf = (value: Json): "object" | "array" | "value" => (Array.isArray(value) ? "array" : isObject(value) ? "object" : "value");

export class FilePast {
  #data: Inlined;
  #documents = new Map<number, Object_>();
  #first: number;

  constructor(data: Inlined) {
    this.#data = data;
    this.#first = data.entries[0]?.seq ?? 1;
  }

  get leftOut(): string[] {
    return this.#data.left_out;
  }

  answer(address: string): unknown {
    const url = new URL(address, "file:///");
    const query = url.searchParams;
    const names = url.pathname.replace(/\.json$/, "").split("/").filter(Boolean).map(decodeURIComponent);
    if (names[0] === "index") return this.#data.index;
    if (names[0] === "server") return { version: "", workspace: "", allows_actions: false, allows_notes: false };
    if (names[0] !== this.#data.meta.past) throw new NotInFile(`This file does not hold ${names[0] ?? "that"}.`, "It was made of one past.");
    if (names.length === 1) return this.#data.meta;
    const at = this.seq(query.get("at"), this.#data.meta.head);
    return { past: this.#data.meta.past, at, cli: "", ...this.#answer(names[1] ?? "", query, at) };
  }

  #answer(screen: string, query: URLSearchParams, at: number): object {
    const since = query.get("since") === null ? null : this.seq(query.get("since"), 0);
    const offset = Number(query.get("offset") ?? 0);
    const count = Number(query.get("count") ?? 100);
    const pointer = query.get("pointer") ?? "";
    const after = query.get("after");
    switch (screen) {
      case "events":
        return this.#events(query, offset, count);
      case "event":
        return this.#event(at);
      case "state":
        return this.#state(at, pointer, after, count);
      case "board":
        return this.#board(at, since, query.get("status"), after, count);
      case "task":
        return this.#task(at, query.get("id") ?? "");
      case "diff":
        return this.#diff(since ?? 0, at, pointer, offset, count);
      case "blame":
        return this.#blame(at, pointer);
      case "graph":
        return graphOf(this.#data.entries, this.#data.premises ?? [], this.entry(at), Number(query.get("depth") ?? 3), count);
      case "lanes":
        return lanesOf(this.#data.entries, query);
      case "files":
        return this.#files(at, since, query.get("path"), offset, count);
      case "rejections": {
        const kept = this.#data.answers["rejections"];
        const all = (kept?.["rejections"] ?? []) as unknown as { entry: Entry }[];
        const found = all.filter((one) => one.entry.seq <= at);
        return { total: found.length, offset, rejections: found.slice(offset, offset + count), cli: "esaa log --rejections" };
      }
      default: {
        const kept = this.#data.answers[screen];
        if (kept !== undefined) return screen === "notes" ? kept : { ...kept, at };
        if (screen === "notes") return { total: 0, notes: [] };
        throw new NotInFile("This file cannot work that out.", "Open the log with `esaa serve`, or ask the `esaa` command.");
      }
    }
  }

  /** The seq of a moment: a number, `HEAD~3`, an id, a time. */
  seq(ref: string | null, fallback: number): number {
    if (ref === null || ref === "") return fallback;
    const head = this.#data.meta.head;
    const number = /^#?(\d+)$/.exec(ref);
    const back = /^HEAD(?:~(\d+))?$/.exec(ref);
    let seq: number | undefined;
    if (number) seq = Number(number[1]);
    else if (back) seq = head - Number(back[1] ?? 0);
    else if (/^\d{4}-\d\d-\d\d/.test(ref)) seq = this.#data.entries.findLast((entry) => entry.ts.slice(0, ref.length) <= ref)?.seq ?? this.#first - 1;
    else seq = this.#data.entries.find((entry) => entry.event_id === ref)?.seq;
    if (seq === undefined || seq < 0 || seq > head) throw new NotInFile(`There is no moment ${ref} in this file.`, `It holds #${this.#first} to #${head}.`);
    return seq;
  }

  entry(seq: number): Entry {
    const entry = this.#data.entries[seq - this.#first];
    if (entry === undefined) throw new NotInFile(`Event #${seq} is not in this file.`, `It holds #${this.#first} to #${this.#data.meta.head}.`);
    return entry;
  }

  /** The whole state after an event. A few are kept, for neighbours are asked together. */
  document(at: number): Object_ {
    const kept = this.#documents.get(at);
    if (kept !== undefined) return kept;
    // Without a prototype: a log may name a task `__proto__`.
    const made = Object.create(null) as Object_;
    const isLog = this.#data.meta.kind === "log";
    const parts = Object.entries(this.#data.parts).map(([pointer, versions]) => ({ pointer, versions, isSingle: pointer.lastIndexOf("/") === 0 }));
    // The run and its verification come first, as the server says them.
    if (isLog) parts.sort((one, other) => Number(other.isSingle) - Number(one.isSingle));
    for (const { pointer, versions, isSingle } of parts) {
      if (isLog && !isSingle) for (const name of MEMBERS) made[name] ??= Object.create(null) as Object_;
      const value = versionAt(versions, at);
      if (value === undefined) continue;
      const names = namesOf(pointer);
      const last = names.pop() ?? "";
      let place = made;
      for (const name of names) {
        const next = (Object.hasOwn(place, name) ? place[name] : (place[name] = Object.create(null) as Object_)) as Object_;
        place = next;
      }
      place[last] = value;
    }
    if (isLog) for (const name of MEMBERS) made[name] ??= Object.create(null) as Object_;
    this.#documents.set(at, made);
    if (this.#documents.size > 8) this.#documents.delete(this.#documents.keys().next().value as number);
    return made;
  }

  #valueAt(document: Json, names: string[]): Json | undefined {
    let value: Json | undefined = document;
    for (const name of names) {
      if (Array.isArray(value)) value = value[Number(name)];
      else if (isObject(value) && Object.hasOwn(value, name)) value = value[name];
      else return undefined;
    }
    return value;
  }

  #events(query: URLSearchParams, offset: number, count: number): object {
    const words = (query.get("q") ?? "").toLowerCase().split(/\s+/).filter(Boolean);
    const [name, actor, subject] = ["name", "actor", "subject"].map((one) => query.get(one));
    const rejections = query.get("rejections");
    const isFiltered = words.length > 0 || name || actor || subject || rejections;
    const cli = "esaa log";
    if (!isFiltered) {
      const entries: Entry[] = [];
      for (let seq = offset + 1; seq <= Math.min(offset + count, this.#data.meta.head); seq++) entries.push(this.#data.entries[seq - this.#first] ?? absent(seq));
      return { total: this.#data.meta.head, offset, entries, cli };
    }
    const found = this.#data.entries.filter((entry, index) => {
      if (name && entry.name !== name) return false;
      if (actor && entry.actor !== actor) return false;
      if (subject && entry.subject !== subject) return false;
      if (rejections === "1" && !entry.is_rejection) return false;
      if (words.length === 0) return true;
      const text = `${entry.name} ${entry.actor} ${entry.subject ?? ""} ${entry.summary} ${JSON.stringify(this.#data.payloads[index] ?? null)}`.toLowerCase();
      return words.every((word) => text.includes(word));
    });
    return { total: found.length, offset, entries: found.slice(offset, offset + count), cli };
  }

  #event(at: number): object {
    const entry = this.entry(at);
    const causes = this.#data.entries.filter((one) => one.event_id === entry.causation_id);
    const effects = this.#data.entries.filter((one) => one.causation_id === entry.event_id);
    return {
      entry,
      payload: this.#data.payloads[at - this.#first] ?? null,
      line_bytes: this.#data.line_bytes?.[at - this.#first] ?? 0,
      changes: this.#changes(at - 1, at, []),
      causes,
      premises: this.#data.entries.filter((one) => this.#data.premises?.[at - this.#first]?.includes(one.seq)),
      effects,
      rules: [],
      cli: `esaa show ${at}`,
    };
  }

  #state(at: number, pointer: string, after: string | null, count: number): object {
    const value = this.#valueAt(this.document(at), namesOf(pointer));
    if (value === undefined) throw new NotInFile(`There is nothing at ${pointer} after #${at}.`);
    const all: [string, Json][] = Array.isArray(value) ? value.map((one, index) => [String(index), one]) : isObject(value) ? Object.entries(value) : [];
    const isLog = this.#data.meta.kind === "log";
    const most = isLog && MEMBERS.includes(pointer.slice(1)) ? (after === null ? Math.min(count, WHOLE_MAX) : -1) : Math.max(count, WHOLE_MAX);
    const isWhole = all.length <= most && new TextEncoder().encode(JSON.stringify(value)).length <= SMALL_BYTES;
    const start = after === null ? 0 : all.findIndex(([name]) => name === after) + 1;
    const children = all.slice(start, start + count).map(([name, one]): StateChild => {
      const size = Array.isArray(one) ? one.length : isObject(one) ? Object.keys(one).length : 0;
      // Of the state itself the children hold parts: their names say more than the beginning of the first.
      const isMember = pointer === "" && isLog && MEMBERS.includes(name);
      const names = isMember ? Object.keys(one as Object_) : [];
      return { name, kind: kindOf(one), size, preview: cut(isMember ? names.slice(0, 5).join(", ") + (names.length > 5 ? ", ..." : "") : JSON.stringify(one)) };
    });
    return { pointer, kind: kindOf(value), value: isWhole ? value : null, children, total: all.length, cli: `esaa state ${pointer} --at ${at}`.replace("  ", " ") };
  }

  #cards(at: number, since: number | null): Card[] {
    const now = this.document(at);
    // As the server: a task has changed with what is worked on it; looking back from before, nothing has.
    const then = since === null || since >= at ? null : this.document(since);
    const differs = (member: string, id: string): boolean => then !== null && JSON.stringify(this.#valueAt(then, [member, id])) !== JSON.stringify(this.#valueAt(now, [member, id]));
    const issues = Object.values((now["issues"] ?? {}) as Object_).filter(isObject);
    return Object.entries((now["tasks"] ?? {}) as Object_).map(([id, value]): Card => {
      const task = isObject(value) ? value : {};
      const text = (name: string): string => (typeof task[name] === "string" ? (task[name] as string) : "");
      const work = this.#valueAt(now, ["work", id]);
      const attempts = isObject(work) && typeof work["attempts"] === "number" ? work["attempts"] : 0;
      return {
        task_id: id,
        title: text("title"),
        task_kind: text("task_kind"),
        status: text("status"),
        owner: text("assigned_to") || null,
        attempts,
        open_issues: issues.filter((issue) => issue["status"] === "open" && aboutOf(issue) === id).length,
        is_hotfix: task["is_hotfix"] === true,
        changed: differs("tasks", id) || differs("work", id),
      };
    });
  }

  #board(at: number, since: number | null, status: string | null, after: string | null, count: number): object {
    const columns = new Map<string, Card[]>(["todo", "in_progress", "review", "done"].map((name) => [name, []]));
    for (const card of this.#cards(at, since)) columns.set(card.status, [...(columns.get(card.status) ?? []), card]);
    const counts = Object.fromEntries([...columns].filter(([, cards]) => cards.length).map(([name, cards]) => [name, cards.length]));
    const pages = [...columns]
      .filter(([name]) => status === null || name === status)
      .map(([name, all]) => {
        const start = after === null ? 0 : all.findIndex((card) => card.task_id === after) + 1;
        const cards = all.slice(start, start + count);
        return { status: name, total: all.length, cards, next: start + cards.length < all.length ? (cards.at(-1)?.task_id ?? null) : null };
      });
    return { since, counts, columns: pages, cli: `esaa status --at ${at}` };
  }

  #task(at: number, id: string): object {
    const now = this.document(at);
    const task = this.#valueAt(now, ["tasks", id]);
    if (!isObject(task)) throw new NotInFile(`There is no task ${id} after #${at}.`);
    const versions = (this.#data.parts[pointerOf(["tasks", id])] ?? []).flatMap((version) => {
      const value = version[1];
      const entry = this.#data.entries[version[0] - this.#first];
      if (version[0] > at || !isObject(value) || entry === undefined) return [];
      return [{ seq: version[0], ts: entry.ts, actor: entry.actor, name: entry.name, status: String(value["status"] ?? ""), owner: value["assigned_to"] ?? null, summary: entry.summary }];
    });
    const issues = Object.values((now["issues"] ?? {}) as Object_).filter((issue) => isObject(issue) && isObject(issue["links"]) && Object.values(issue["links"]).includes(id));
    return { task, work: this.#valueAt(now, ["work", id]) ?? {}, issues, versions, files: this.#fileRows(at, null).filter((file) => file.task_id === id), cli: `esaa status ${id} --at ${at}` };
  }

  #changes(since: number, at: number, names: string[]): Change[] {
    const before = this.#valueAt(this.document(since), names);
    const after = this.#valueAt(this.document(at), names);
    return changesOf(before, after, pointerOf(names));
  }

  #diff(since: number, at: number, pointer: string, offset: number, count: number): object {
    // As the server: pages and counts are of the parts that events touched, and each part brings all of its changes.
    const [first, last] = [Math.min(since, at), Math.max(since, at)];
    const touched = Object.entries(this.#data.parts)
      .filter(([part, versions]) => isOnOneWay(part, pointer) && versions.some(([seq]) => seq > first && seq <= last))
      .map(([part]) => part);
    const counts: Record<string, number> = {};
    for (const part of touched) {
      const member = namesOf(part)[0] ?? "";
      counts[member] = (counts[member] ?? 0) + 1;
    }
    const changes = touched.slice(offset, offset + count).flatMap((part) => this.#changes(since, at, namesOf(part.length > pointer.length ? part : pointer)));
    return { a: since, b: at, pointer, total: touched.length, offset, counts, changes, cli: `esaa diff ${since}..${at}${pointer ? ` --path ${pointer}` : ""}` };
  }

  #blame(at: number, pointer: string): object {
    const names = namesOf(pointer);
    const value = this.#valueAt(this.document(at), names);
    // Only events that changed the part in which the value lies, or parts below it, can have changed it.
    const seqs = new Set<number>();
    for (const [part, versions] of Object.entries(this.#data.parts)) {
      if (!isOnOneWay(part, pointer)) continue;
      for (const [seq] of versions) if (seq <= at && seq >= this.#first) seqs.add(seq);
    }
    const history = [...seqs]
      .sort((one, other) => one - other)
      .flatMap((seq) => {
        const before = this.#valueAt(this.document(seq - 1), names);
        const after = this.#valueAt(this.document(seq), names);
        return JSON.stringify(before) === JSON.stringify(after) ? [] : [{ seq, before: before ?? null, after: after ?? null, entry: this.entry(seq) }];
      });
    if (value === undefined && history.length === 0) throw new NotInFile(`There is nothing at ${pointer} up to #${at}.`);
    const cause: Entry[] = [];
    let id = history.at(-1)?.entry.causation_id ?? null;
    while (id !== null && cause.length < 50) {
      const entry = this.#data.entries.find((one) => one.event_id === id);
      if (entry === undefined || cause.includes(entry)) break;
      cause.push(entry);
      id = entry.causation_id;
    }
    return { pointer, value: value ?? null, history, cause, is_cut: false, output: null, rules: [], cli: `esaa blame ${pointer} --at ${at}` };
  }

  #fileRows(at: number, since: number | null): FileRow[] {
    const now = (this.document(at)["files"] ?? {}) as Object_;
    const then = since === null ? now : ((this.document(since)["files"] ?? {}) as Object_);
    const digest = (files: Object_, path: string): string | null => {
      const file = files[path];
      return isObject(file) && typeof file["sha256"] === "string" ? file["sha256"] : null;
    };
    // What is gone stands at the end.
    return [...new Set([...Object.keys(now), ...Object.keys(then)])].map((path): FileRow => {
      const file = now[path];
      const sha256 = digest(now, path);
      const text = sha256 === null ? undefined : this.#data.contents[sha256];
      const seqs = (this.#data.parts[pointerOf(["files", path])] ?? []).filter((version) => version[0] <= at);
      const changed = !(path in then) ? "added" : !(path in now) ? "removed" : digest(then, path) !== sha256 ? "changed" : "";
      return {
        path,
        sha256,
        bytes: text === undefined ? null : new TextEncoder().encode(text).length,
        task_id: isObject(file) && typeof file["task_id"] === "string" ? file["task_id"] : null,
        seq: seqs.at(-1)?.[0] ?? null,
        changed,
      };
    });
  }

  #patch(since: number, path: string, after: string | null): string | null {
    const file = this.#valueAt(this.document(since), ["files", path]);
    const sha256 = isObject(file) && typeof file["sha256"] === "string" ? file["sha256"] : null;
    const before = sha256 === null ? "" : (this.#data.contents[sha256] ?? null);
    // A file that is gone has no content now; one that was left out cannot be compared.
    return before === null || (after === null && file === undefined) ? null : patchOf(before, after ?? "");
  }

  #files(at: number, since: number | null, path: string | null, offset: number, count: number): object {
    const rows = this.#fileRows(at, since);
    const cli = `esaa checkout --at ${at} DIR`;
    if (path === null) return { since, total: rows.length, offset, files: rows.slice(offset, offset + count), path: null, content: null, is_binary: false, patch: null, note: "", cli };
    const row = rows.find((one) => one.path === path);
    if (row === undefined) throw new NotInFile(`There is no file ${path} after #${at}.`);
    const content = row.sha256 === null ? null : (this.#data.contents[row.sha256] ?? null);
    const note = content === null && row.changed !== "removed" ? "Its content was left out of this file." : "";
    const patch = since === null ? null : this.#patch(since, path, content);
    return { since, total: 1, offset: 0, files: [row], path, content, is_binary: false, patch, note, cli };
  }
}

function absent(seq: number): Entry {
  return { seq, event_id: "", ts: "", actor: "", name: "", subject: null, summary: "not in this file", leaf_hash: "", correlation_id: null, causation_id: null, is_rejection: false };
}
