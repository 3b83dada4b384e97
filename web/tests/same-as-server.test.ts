/** An exported file answers as the server does. `tests/web/test_page_units.py` asks the server, and writes down what it said. */

import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { FilePast, type Inlined } from "../src/lib/inlined.ts";

interface Given {
  data: Inlined;
  asked: [string, Record<string, unknown>][];
}

const path = process.env["ESAA_ANSWERS"] ?? "";
const given = path === "" ? { data: null, asked: [] } : (JSON.parse(readFileSync(path, "utf-8")) as Given);

test.runIf(path === "")("is asked for by pytest alone, which has a server", () => {
  expect(given.asked).toEqual([]);
});

/** What an exported file cannot know: the workspace's command, its contracts, and what agents sent. The page shows the rest. */
const NOT_IN_FILE = ["cli", "preview", "output", "rules"];

function comparable(answer: Record<string, unknown>): Record<string, unknown> {
  const rest = Object.fromEntries(Object.entries(answer).filter(([name]) => !NOT_IN_FILE.includes(name)));
  // Members in which nothing changed may be left out.
  if (rest["counts"]) rest["counts"] = Object.fromEntries(Object.entries(rest["counts"] as Record<string, number>).filter(([, number]) => number > 0));
  // The parts that differ are told in any order; what differs in one of them is not.
  const changes = rest["changes"] as { pointer: string }[] | undefined;
  const part = (change: { pointer: string }): string => change.pointer.split("/").slice(0, 3).join("/");
  if (changes) rest["changes"] = [...changes].sort((one, other) => (part(one) < part(other) ? -1 : part(one) > part(other) ? 1 : 0));
  return rest;
}

test.each(given.asked)("%s", (address, said) => {
  const answer = new FilePast(given.data as Inlined).answer(address) as Record<string, unknown>;
  expect(comparable(answer)).toEqual(comparable(said));
});
