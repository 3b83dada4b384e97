/** The one cursor. Every view shows the past as of `at`, and what changed since `since`. */

import type { Entry, EventView, Meta } from "./answers.ts";
import { forget, headIs, isAsking } from "./answer.svelte.ts";
import { route } from "./route.svelte.ts";
import { addressOfQuestion, ask, Failure, isInlined } from "./source.ts";

const NUMBER = /^#?(\d{1,15})$/;
const HEAD_EVERY_MS = 250;
const META_EVERY_MS = 2000;

/** `HEAD` is a moment that moves with the log; `HEAD~3` is one that was meant once. */
function isHead(ref: string): boolean {
  return ref === "" || ref === "HEAD";
}

class Moment {
  meta: Meta | null = $state.raw(null);
  failure: Failure | null = $state.raw(null);
  head = $state(0);
  /** True while the server tells of new events. */
  isConnected = $state(false);
  /** Set when the log was replaced under the reader. */
  wasReplaced = $state(false);
  /** What is wrong with the log, as the server tells it while one looks; null where nothing is. */
  problem: { code: string; message: string; hint: string } | null = $state.raw(null);

  #past: string | null = null;
  /** True while the failure is about a moment that the address names. */
  #isBadRef = false;
  #events: EventSource | null = null;
  #headTimer: ReturnType<typeof setTimeout> | undefined;
  #headNext = 0;
  /** The hash of the event `#headNext`, and of the one that `head` names. */
  #hashNext: string | null = null;
  #metaTimer: ReturnType<typeof setTimeout> | undefined;

  /** Without `at` in the address, or with `at=HEAD`, the cursor follows the head. */
  isLive = $derived(isHead(route.get("at")));
  /** The seq that all views show; null until it is known. */
  at: number | null = $derived.by(() => this.#seq(route.get("at"), this.head));
  /** The seq of the moment that we compare with; null where there is none. */
  since: number | null = $derived.by(() => this.#seq(route.get("since"), null));

  #seq(ref: string, fallback: number | null): number | null {
    if (this.meta === null) return null;
    if (ref === "") return fallback;
    if (isHead(ref)) return this.head;
    const found = NUMBER.exec(ref);
    return found ? Math.min(Number(found[1]), this.head) : null;
  }

  /** Called when the past in the address changes. */
  async open(past: string | null): Promise<void> {
    if (past === this.#past) return;
    this.close();
    this.#past = past;
    headIs(past ?? "", null);
    this.meta = null;
    this.failure = null;
    if (past !== null) await this.#load(past);
  }

  close(): void {
    this.#events?.close();
    this.#events = null;
    this.isConnected = false;
    clearTimeout(this.#headTimer);
    this.#headTimer = undefined;
  }

  async #load(past: string): Promise<void> {
    try {
      const meta = await ask<Meta>(`/${encodeURIComponent(past)}.json`);
      if (this.#past !== past) return;
      this.failure = null;
      this.head = meta.head;
      this.#headNext = meta.head;
      this.#hashNext = meta.head_hash;
      this.#pin();
      this.meta = meta;
      this.#follow(past);
    } catch (error) {
      if (this.#past !== past) return;
      this.failure = error instanceof Failure ? error : new Failure("PAGE", String(error), "Reload the page.");
      if (this.failure.status === 503 || this.failure.code === "UNREACHABLE") {
        setTimeout(() => this.#past === past && void this.#load(past), 1500);
      }
    }
  }

  /** Asks for the meta data again; the cursor stays. */
  async refresh(): Promise<void> {
    if (this.#past !== null) {
      this.close();
      await this.#load(this.#past);
    }
  }

  /**
   * A tab in the background does not listen: a browser keeps few connections to one server, and each listener holds one.
   * In sight again, it takes up where it left off.
   */
  attend(isInSight: boolean): void {
    if (!isInSight) this.close();
    else if (this.#past !== null && this.meta !== null) this.#follow(this.#past);
  }

  #follow(past: string): void {
    if (isInlined || this.#events !== null || document.visibilityState === "hidden") return;
    const events = new EventSource(addressOfQuestion(`/${encodeURIComponent(past)}/tail`, { since: this.#headNext }));
    this.#events = events;
    // What was heard before one looked away is not told again.
    if (this.#headNext > this.head) this.#headTimer ??= setTimeout(() => this.#advance(), HEAD_EVERY_MS);
    events.addEventListener("entry", (event: MessageEvent<string>) => this.#grow(JSON.parse(event.data) as Entry));
    events.onopen = () => (this.isConnected = true);
    events.onerror = () => {
      this.isConnected = false;
      // Refused, and not merely cut off: the moment that was named may not be there any more.
      if (events.readyState === EventSource.CLOSED) void this.#lookAgain(past);
    };
    events.addEventListener("reset", () => this.#replaced());
    events.addEventListener("problem", (event: MessageEvent<string>) => {
      const told = JSON.parse(event.data) as { code: string; message: string; hint: string };
      if (this.problem?.message === told.message) return;
      this.problem = told;
      forget();
      this.#pin();
      void this.#reread();
    });
    // Said at the beginning of each connection, and again when what was wrong is mended.
    events.addEventListener("ready", (event: MessageEvent<string>) => {
      const there = JSON.parse(event.data) as { head: number; hash: string };
      // While nobody listened another log may have been put there: its event has the number, but not the hash.
      const isOther = there.head < this.#headNext || (there.head === this.#headNext && there.hash !== (this.#hashNext ?? ""));
      if (isOther && this.problem === null) {
        this.#replaced();
        return;
      }
      if (this.problem === null) return;
      this.problem = null;
      forget();
      void this.#reread();
    });
  }

  async #lookAgain(past: string): Promise<void> {
    try {
      const meta = await ask<Meta>(`/${encodeURIComponent(past)}.json`);
      if (this.#past === past && meta.head < this.#headNext) this.#replaced();
    } catch {
      // The next question says what is wrong.
    }
  }

  #replaced(): void {
    headIs(this.#past ?? "", null);
    forget();
    this.wasReplaced = true;
    void this.refresh();
  }

  /** Answers are kept under the head that is shown, as long as nothing is wrong with the log. */
  #pin(): void {
    headIs(this.#past ?? "", this.problem === null && this.head === this.#headNext ? this.#hashNext : null);
  }

  #grow(entry: Entry): void {
    // A busy run writes many events a second; each new head asks every view anew.
    if (entry.seq > this.#headNext) {
      this.#headNext = entry.seq;
      this.#hashNext = entry.leaf_hash;
    }
    this.#headTimer ??= setTimeout(() => this.#advance(), HEAD_EVERY_MS);
  }

  #advance(): void {
    // A new question ends the one before it: where answers take longer than new events, nothing would ever be shown.
    if (isAsking()) {
      this.#headTimer = setTimeout(() => this.#advance(), HEAD_EVERY_MS);
      return;
    }
    this.#headTimer = undefined;
    if (this.#headNext > this.head) this.head = this.#headNext;
    this.#pin();
    this.#metaTimer ??= setTimeout(() => void this.#reread(), META_EVERY_MS);
  }

  /** New events bring new actors, runs and proofs. */
  async #reread(): Promise<void> {
    this.#metaTimer = undefined;
    const past = this.#past;
    if (past === null) return;
    try {
      const meta = await ask<Meta>(`/${encodeURIComponent(past)}.json`);
      if (this.#past === past) this.meta = meta;
    } catch {
      // The next event asks again.
    }
  }

  /** The address of a question about this moment. */
  question(screen: string, params: Record<string, string | number | null> = {}): string | null {
    if (this.meta === null || this.at === null) return null;
    const address = addressOfQuestion(`/${encodeURIComponent(this.meta.past)}/${screen}.json`, { at: this.at, ...params });
    // What an event led to may still come.
    return screen === "graph" ? `${address}#${this.head}` : address;
  }

  /** Moves the cursor. Going to the head by hand pins it there; `live` follows the head. */
  to(seq: number, push = false): void {
    route.set({ at: Math.max(0, Math.min(seq, this.head)) }, push);
  }

  step(by: number): void {
    if (this.at !== null) this.to(this.at + by);
  }

  live(): void {
    route.set({ at: null }, true);
  }

  setSince(seq: number | null): void {
    route.set({ since: seq }, true);
  }

  /** The seq of any name of a moment. Throws `Failure`. */
  async resolve(ref: string): Promise<number> {
    const found = NUMBER.exec(ref.trim());
    if (found) return Number(found[1]);
    const view = await ask<EventView>(addressOfQuestion(`/${encodeURIComponent(this.#past ?? "")}/event.json`, { at: ref.trim() }));
    return view.at;
  }

  /** A link may name its moments as people do (`HEAD~3`, a time). They become numbers once. */
  async settle(): Promise<void> {
    for (const name of ["at", "since"] as const) {
      const ref = route.get(name);
      if (isHead(ref) || NUMBER.test(ref)) continue;
      try {
        const seq = await this.resolve(ref);
        if (route.get(name) === ref) route.set({ [name]: seq });
      } catch (error) {
        if (error instanceof Failure) {
          this.failure = error;
          this.#isBadRef = true;
          return;
        }
      }
    }
    if (this.#isBadRef) {
      this.#isBadRef = false;
      this.failure = null;
    }
  }
}

export const moment = new Moment();

document.addEventListener("visibilitychange", () => moment.attend(document.visibilityState === "visible"));
addEventListener("pagehide", () => moment.attend(false));
addEventListener("pageshow", () => moment.attend(true));
