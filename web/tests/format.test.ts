import { expect, test } from "vitest";
import { bytes, clock, day, duration, moment, money, oneLine, percent, short, words } from "../src/lib/format.ts";

test.each([
  [0, "0 s"],
  [0.21, "210 ms"],
  [0.9996, "1 s"],
  [4.25, "4.3 s"],
  [9.97, "10 s"],
  [41, "41 s"],
  [59.6, "1 min"],
  [60, "1 min"],
  [3599, "1 h"],
  [11_520, "3 h 12 min"],
  [172_799, "2 d"],
  [180_000, "2 d 2 h"],
  [-90, "−2 min"],
])("%s seconds are %s", (seconds, text) => {
  expect(duration(seconds)).toBe(text);
});

test.each([
  [null, "–"],
  [999, "999 B"],
  [1000, "1.0 kB"],
  [999_949, "999.9 kB"],
  [999_999, "1.0 MB"],
  [1_820_000, "1.8 MB"],
])("%s bytes are %s", (value, text) => {
  expect(bytes(value)).toBe(text);
});

test.each([
  [9999, "9,999"],
  [12_345, "12.3 k"],
  [99_960, "100 k"],
  [999_999, "1.0 M"],
  [1_820_000, "1.8 M"],
])("%s in short is %s", (value, text) => {
  expect(short(value)).toBe(text);
});

test("times are those of the log, in UTC", () => {
  expect(clock("2026-02-27T23:59:59.123Z")).toBe("23:59:59");
  expect(day("2026-02-27T23:59:59Z")).toBe("27 Feb 2026");
  expect(moment("2026-02-27T00:00:00Z")).toBe("27 Feb 2026, 00:00:00");
  expect([clock(null), day(null), moment(null)]).toEqual(["", "", ""]);
  expect(day("no time")).toBe("no time");
});

test("shares, money and names", () => {
  expect([percent(null), percent(0), percent(1), percent(0.1234), percent(0.99999)]).toEqual(["–", "0 %", "100 %", "12.3 %", "100.0 %"]);
  expect(money(1_234_567)).toBe("$1.23");
  expect(words("in_progress")).toBe("In progress");
});

test("a value on one line is cut, and what is not there is nothing", () => {
  expect(oneLine(undefined)).toBe("");
  expect(oneLine({ a: [1, null] })).toBe('{"a":[1,null]}');
  expect(oneLine("x".repeat(500), 10)).toBe(`"${"x".repeat(9)}…`);
});
