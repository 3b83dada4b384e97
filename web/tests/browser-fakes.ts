/** Stands in for the parts of a browser that modules of the page touch when they are loaded. */

type Listener = (event: Event) => void;

export interface FakeBrowser {
  /** The addresses of the history, the last one shown. */
  steps: string[];
  asked: string[];
  tails: FakeTail[];
  listeners: Map<string, Listener[]>;
  /** What the server says, by the beginning of the address. */
  answers: Map<string, unknown>;
  /** Lets everything that is under way come to its end. */
  settle: (ms?: number) => Promise<void>;
}

export class FakeTail extends EventTarget {
  static readonly CLOSED = 2;
  readyState = 1;
  onopen: (() => void) | null = null;
  onerror: (() => void) | null = null;
  constructor(readonly address: string) {
    super();
    browser.tails.push(this);
  }
  close(): void {
    this.readyState = 2;
  }
  tell(name: string, data: unknown, lastEventId = ""): void {
    this.dispatchEvent(Object.assign(new Event(name), { data: JSON.stringify(data), lastEventId }));
  }
}

let browser: FakeBrowser;

/** Puts a browser into the globals, at an address. Load the modules after it, with `vi.resetModules()` before. */
export function openBrowser(address: string, stub: (name: string, value: unknown) => void): FakeBrowser {
  browser = { steps: [address], asked: [], tails: [], listeners: new Map(), answers: new Map(), settle };
  const here = (): URL => new URL(browser.steps.at(-1) ?? "/", "http://127.0.0.1");
  stub("location", {
    get pathname() {
      return here().pathname;
    },
    get search() {
      return here().search;
    },
    hash: "",
  });
  stub("history", {
    pushState: (_state: unknown, _title: string, url: string) => browser.steps.push(url),
    replaceState: (_state: unknown, _title: string, url: string) => browser.steps.splice(-1, 1, url),
  });
  const listen = (name: string, act: Listener): void => void browser.listeners.set(name, [...(browser.listeners.get(name) ?? []), act]);
  stub("addEventListener", listen);
  stub("document", { getElementById: () => null, addEventListener: listen, visibilityState: "visible", documentElement: { dataset: {} } });
  stub("EventSource", FakeTail);
  stub("fetch", async (url: string) => {
    browser.asked.push(url);
    const found = [...browser.answers].find(([beginning]) => url.startsWith(beginning));
    return new Response(JSON.stringify(found?.[1] ?? { error: { code: "NOT_FOUND", message: "nothing" } }), { status: found ? 200 : 404 });
  });
  return browser;
}

async function settle(ms = 0): Promise<void> {
  await new Promise((done) => setTimeout(done, ms));
}
