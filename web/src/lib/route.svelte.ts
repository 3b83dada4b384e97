/** The address is the whole state of the page: `/{past}/{screen}?at=12&since=3&...`. */

import { isInlined } from "./source.ts";

export type Query = Record<string, string>;

export interface Place {
  past: string | null;
  screen: string;
  query: Query;
}

/** An exported file has no server: there the place stands behind the `#`. */
function addressNow(): string {
  return isInlined ? location.hash.slice(1) || "/" : location.pathname + location.search;
}

export function parsePlace(address: string): Place {
  // A query may hold question marks of its own: JMESPath is full of them.
  const cut = address.indexOf("?");
  const path = cut < 0 ? address : address.slice(0, cut);
  const search = cut < 0 ? "" : address.slice(cut + 1);
  const names = path.split("/").filter(Boolean).map(decoded);
  return {
    past: names[0] ?? null,
    screen: names[1] ?? (names[0] === undefined ? "overview" : "events"),
    query: Object.fromEntries(new URLSearchParams(search)),
  };
}

export function addressOf(place: Place): string {
  const path = place.past === null ? "/" : `/${encodeURIComponent(place.past)}/${place.screen}`;
  // Pointers, times and the like stay readable in the address.
  const search = new URLSearchParams(place.query).toString().replaceAll("%2F", "/").replaceAll("%3A", ":");
  return search ? `${path}?${search}` : path;
}

function decoded(name: string): string {
  try {
    return decodeURIComponent(name);
  } catch {
    return name;
  }
}

const REST_MS = 100;

class Route {
  place: Place = $state.raw(parsePlace(addressNow()));
  #pending: ReturnType<typeof setTimeout> | undefined;
  #waiting: string | null = null;

  get past(): string | null {
    return this.place.past;
  }

  get screen(): string {
    return this.place.screen;
  }

  /** A parameter of the address, or the empty text. */
  get(name: string): string {
    return this.place.query[name] ?? "";
  }

  /** The address of a place in the same past; what is set to null or "" leaves the query. */
  href(screen: string, changes: Record<string, string | number | null> = {}, past = this.place.past): string {
    return (isInlined ? "#" : "") + addressOf({ past, screen, query: this.#query(screen, past, changes) });
  }

  #query(screen: string, past: string | null, changes: Record<string, string | number | null>): Query {
    const query: Query = {};
    // The cursor goes with the reader from screen to screen; what belongs to a screen stays behind.
    for (const [name, value] of Object.entries(this.place.query)) {
      if (past === this.place.past && (screen === this.place.screen || name === "at" || name === "since")) query[name] = value;
    }
    for (const [name, value] of Object.entries(changes)) {
      if (value === null || value === "") delete query[name];
      else query[name] = String(value);
    }
    return query;
  }

  /** Goes to a screen: a new step of the history. */
  go(screen: string, changes: Record<string, string | number | null> = {}, past = this.place.past): void {
    this.#write({ past, screen, query: this.#query(screen, past, changes) }, true);
  }

  /** Sets parameters of this screen. Without `push` the step of the history is replaced, for what changes often. */
  set(changes: Record<string, string | number | null>, push = false): void {
    this.#write({ ...this.place, query: this.#query(this.place.screen, this.place.past, changes) }, push);
  }

  open(address: string): void {
    this.#write(parsePlace(address.startsWith("#") ? address.slice(1) : address), true);
  }

  #write(place: Place, push: boolean): void {
    const url = (isInlined ? "#" : "") + addressOf(place);
    this.place = place;
    clearTimeout(this.#pending);
    if (push) {
      // What was set a moment ago belongs to the step that one leaves: `back` leads there.
      this.#rest();
      history.pushState(null, "", url);
    } else {
      // Browsers refuse more than some 200 changes of the address in a while: a dragged slider waits for its rest.
      this.#waiting = url;
      this.#pending = setTimeout(() => this.#rest(), REST_MS);
    }
  }

  #rest(): void {
    if (this.#waiting !== null) history.replaceState(null, "", this.#waiting);
    this.#waiting = null;
  }

  read(): void {
    clearTimeout(this.#pending);
    this.#waiting = null;
    this.place = parsePlace(addressNow());
  }
}

export const route = new Route();

addEventListener("popstate", () => route.read());
addEventListener("hashchange", () => route.read());
