/** The answers that the page keeps, and for which of them the browser may keep a copy that it never asks about again. */

/** Questions that the events alone decide; of all others (contracts, contents, notes, approvals) nothing outlasts the page. */
const OF_LOG_ALONE = new Set(["events", "state", "board", "diff", "graph", "lanes", "bisect"]);
const MOMENTS = ["at", "since", "first", "last", "good", "bad"];
const NUMBER = /^#?\d+$/;
const HEADS_MAX = 4000;

/** True where an answer stays what it is while the log only grows: its moments are numbers, not `HEAD` or a time. */
export function isPinnable(address: string, past: string): boolean {
  const [question = ""] = address.split("#");
  const [path = "", search = ""] = question.split(/\?(.*)/s);
  const found = /^\/([^/]+)\/([^/]+)\.json$/.exec(path);
  if (found === null || found[1] !== encodeURIComponent(past) || !OF_LOG_ALONE.has(found[2] ?? "")) return false;
  const query = new URLSearchParams(search);
  return MOMENTS.every((name) => query.getAll(name).every((ref) => NUMBER.test(ref)));
}

export class Kept {
  /** Changes when everything is forgotten: what was asked before that is not kept after it. */
  era = 0;
  #most: number;
  #values = new Map<string, unknown>();
  #heads = new Map<string, string>();
  #past = "";
  #head: string | null = null;

  constructor(most: number) {
    this.#most = most;
  }

  has(address: string): boolean {
    return this.#values.has(address);
  }

  get(address: string): unknown {
    return this.#values.get(address);
  }

  put(address: string, value: unknown): void {
    this.#values.delete(address);
    this.#values.set(address, value);
    // Insertion order is age: the first key is the one unused for longest.
    if (this.#values.size > this.#most) this.#values.delete(this.#values.keys().next().value as string);
  }

  drop(address: string): void {
    this.#values.delete(address);
    this.#heads.delete(address);
  }

  /** Forgets all answers: the log was replaced, or something was changed. */
  clear(): void {
    this.era++;
    this.#values.clear();
    this.#heads.clear();
  }

  /** Told of the head of the log that is looked at; null where it is not known, or cannot be relied on. */
  headIs(past: string, hash: string | null): void {
    if (past !== this.#past) this.#heads.clear();
    this.#past = past;
    this.#head = hash;
  }

  /**
   * The address to ask at. It names the head that the question was first asked under, though the log has grown since:
   * the browser has that answer still, and it is as true as it was.
   */
  pinned(address: string): string {
    const [question = ""] = address.split("#");
    if (this.#head === null || !isPinnable(address, this.#past)) return question;
    const head = this.#heads.get(address) ?? this.#head;
    this.#heads.delete(address);
    this.#heads.set(address, head);
    if (this.#heads.size > HEADS_MAX) this.#heads.delete(this.#heads.keys().next().value as string);
    return `${question}${question.includes("?") ? "&" : "?"}head=${encodeURIComponent(head)}`;
  }
}
