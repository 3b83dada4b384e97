/** An answer that follows its question: asked anew when the question changes, the old one shown until the new is there. */

import { untrack } from "svelte";
import { Kept } from "./kept.ts";
import { ask, Failure, isInlined } from "./source.ts";

const KEPT_MAX = 48;
const RUSH_MS = 60;
const kept = new Kept(KEPT_MAX);

/** Forgets all answers: the log was replaced, or something was changed. */
export function forget(): void {
  kept.clear();
}

/** Tells of the head of the log, so that what is asked under it need never be asked again; null where it is in doubt. */
export function headIs(past: string, hash: string | null): void {
  kept.headIs(past, hash);
}

/** An answer that is here already, or undefined. */
export function here<T>(address: string): T | undefined {
  return kept.get(address) as T | undefined;
}

let underWay = 0;

/** True while a view waits for its answer. */
export function isAsking(): boolean {
  return underWay > 0;
}

/** One answer, through what is kept. For what is not bound to a screen. */
export async function askKept<T>(address: string, signal?: AbortSignal): Promise<T> {
  if (kept.has(address)) {
    const value = kept.get(address) as T;
    kept.put(address, value);
    return value;
  }
  const era = kept.era;
  const value = await ask<T>(isInlined ? address : kept.pinned(address), signal);
  // It may speak of the log that lay there before.
  if (era === kept.era) kept.put(address, value);
  return value;
}

export class Asked<T> {
  /** The last answer that came; of an older question while a new one is under way. */
  value: T | null = $state.raw(null);
  failure: Failure | null = $state.raw(null);
  isLoading = $state(false);
  /** Which question `value` answers. */
  address = $state("");
  #again = $state(0);
  #asked = 0;

  /** `question` gives the address of the twin, or null where there is nothing to ask. Called while a component is made. */
  constructor(question: () => string | null) {
    $effect(() => {
      const address = question();
      void this.#again;
      const abort = new AbortController();
      if (address === null) {
        this.isLoading = false;
        this.value = null;
        this.failure = null;
        this.address = "";
        return;
      }
      // A dragged slider may ask faster than anyone can answer: while an answer is awaited, only the last question of a
      // rush is asked. Where answers are as quick as the hand, none has to wait.
      const now = performance.now();
      const isRush = untrack(() => this.isLoading) && now - this.#asked < RUSH_MS && !kept.has(address);
      this.#asked = now;
      const timer = isRush ? setTimeout(() => void this.#load(address, abort), RUSH_MS) : undefined;
      if (!isRush) untrack(() => void this.#load(address, abort));
      return () => {
        clearTimeout(timer);
        abort.abort();
      };
    });
  }

  /** Asks the same question again. */
  again(): void {
    kept.drop(this.address);
    this.#again++;
  }

  async #load(address: string, abort: AbortController): Promise<void> {
    this.isLoading = true;
    underWay++;
    try {
      const value = await askKept<T>(address, abort.signal);
      if (abort.signal.aborted) return;
      this.value = value;
      this.failure = null;
      this.address = address;
      this.isLoading = false;
    } catch (error) {
      if (abort.signal.aborted) return;
      this.isLoading = false;
      this.failure = error instanceof Failure ? error : new Failure("PAGE", String(error), "Reload the page.");
      // An index that is being built, and a log that is being mended, come back by themselves.
      if (this.failure.status === 503 || this.failure.code === "UNREACHABLE") {
        const timer = setTimeout(() => this.#again++, 1500);
        abort.signal.addEventListener("abort", () => clearTimeout(timer));
      }
    } finally {
      underWay--;
    }
  }
}
