/** Where answers come from: the server, or the data that an exported file carries. */

import { FilePast, NotInFile, type Inlined } from "./inlined.ts";

/** What went wrong, as the server says it: what, and what to do. */
export class Failure extends Error {
  code: string;
  hint: string;
  status: number;
  done: number | null;
  total: number | null;

  constructor(code: string, message: string, hint: string, status = 0, done: number | null = null, total: number | null = null) {
    super(message);
    this.code = code;
    this.hint = hint;
    this.status = status;
    this.done = done;
    this.total = total;
  }
}

const element = document.getElementById("esaa-data");

/** True in an exported file: everything is in it, and nothing can be asked of anyone. */
export const isInlined = element !== null;

const inlined = element === null ? null : new FilePast(JSON.parse(element.textContent ?? "null") as Inlined);

/** What an exported file does not hold, a sentence each. */
export const leftOut: string[] = inlined?.leftOut ?? [];

export type Params = Record<string, string | number | null | undefined>;

/** The address of a twin with its query, in a fixed order, so that the same question is the same text. */
export function addressOfQuestion(path: string, params: Params = {}): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(params)) {
    if (value !== null && value !== undefined && value !== "") search.set(name, String(value));
  }
  const text = search.toString();
  return text ? `${path}?${text}` : path;
}

/** Asks one question. Throws `Failure`; an aborted request throws the browser's `AbortError`. */
export async function ask<T>(address: string, signal?: AbortSignal): Promise<T> {
  if (inlined !== null) {
    try {
      return inlined.answer(address) as T;
    } catch (error) {
      if (error instanceof NotInFile) throw new Failure("NOT_IN_FILE", error.message, error.hint, 404);
      throw error;
    }
  }
  return send<T>("GET", address, undefined, signal);
}

/** Sends a request that may write. */
export async function send<T>(method: string, address: string, body?: unknown, signal?: AbortSignal): Promise<T> {
  let response: Response;
  try {
    const init: RequestInit = { method, headers: { Accept: "application/json" }, credentials: "same-origin" };
    if (signal) init.signal = signal;
    if (method !== "GET") {
      init.headers = { Accept: "application/json", "Content-Type": "application/json" };
      if (body !== undefined) init.body = JSON.stringify(body);
    }
    response = await fetch(address, init);
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new Failure("UNREACHABLE", "The server does not answer.", "Is `esaa serve` still running? The page goes on when it is back.");
  }
  let answer: unknown = null;
  try {
    answer = await response.json();
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    if (response.ok && response.status !== 204) {
      throw new Failure("NOT_JSON", "The answer is not JSON.", "Reload the page; the server may have been replaced.", response.status);
    }
  }
  if (!response.ok) throw failureOf(answer, response.status);
  return answer as T;
}

function failureOf(answer: unknown, status: number): Failure {
  const error = (answer as { error?: Record<string, unknown> } | null)?.error ?? {};
  const text = (name: string, fallback: string): string => (typeof error[name] === "string" ? (error[name] as string) : fallback);
  const number = (name: string): number | null => (typeof error[name] === "number" ? (error[name] as number) : null);
  const hint = status === 403 ? "Open the address that `esaa serve` printed: it carries the token." : "";
  return new Failure(text("code", `HTTP_${status}`), text("message", `The server answered ${status}.`), text("hint", hint), status, number("done"), number("total"));
}
