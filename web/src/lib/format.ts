/** How times, sizes and values are written. Times are UTC, as in the log. */

const DAY = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric", timeZone: "UTC" });
const COUNT = new Intl.NumberFormat("en-US");

export function count(value: number): string {
  return COUNT.format(value);
}

export function clock(ts: string | null): string {
  return ts === null ? "" : (/T(\d\d:\d\d:\d\d)/.exec(ts)?.[1] ?? ts);
}

export function day(ts: string | null): string {
  if (ts === null) return "";
  const time = Date.parse(ts);
  return Number.isNaN(time) ? ts : DAY.format(time);
}

export function moment(ts: string | null): string {
  return ts === null ? "" : `${day(ts)}, ${clock(ts)}`;
}

/** Two units at most: `3 h 12 min`, `41 s`, `210 ms`. */
export function duration(seconds: number): string {
  if (seconds < 0) return `−${duration(-seconds)}`;
  if (seconds === 0) return "0 s";
  // A value that is rounded up to the next unit is written in that unit.
  if (seconds < 0.9995) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 59.5) return `${seconds < 9.95 ? Number(seconds.toFixed(1)) : Math.round(seconds)} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return minutes % 60 ? `${hours} h ${minutes % 60} min` : `${hours} h`;
  const days = Math.floor(hours / 24);
  return hours % 24 ? `${days} d ${hours % 24} h` : `${days} d`;
}

export function bytes(value: number | null): string {
  if (value === null) return "–";
  if (value < 1000) return `${value} B`;
  if (value < 999_950) return `${(value / 1000).toFixed(1)} kB`;
  return `${(value / 1_000_000).toFixed(1)} MB`;
}

/** 1,820,000 -> 1.8 M. */
export function short(value: number): string {
  if (value < 10_000) return count(value);
  if (value < 999_500) return `${(value / 1000).toFixed(value < 99_950 ? 1 : 0)} k`;
  return `${(value / 1_000_000).toFixed(1)} M`;
}

export function money(microUsd: number): string {
  return `$${(microUsd / 1_000_000).toFixed(2)}`;
}

export function percent(share: number | null): string {
  return share === null ? "–" : `${(share * 100).toFixed(share === 1 || share === 0 ? 0 : 1)} %`;
}

/** `in_progress` -> `In progress`. */
export function words(name: string): string {
  const text = name.replaceAll("_", " ");
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** A value on one line, cut. `undefined` is a value that is not there. */
export function oneLine(value: unknown, length = 160): string {
  const text = value === undefined ? "" : typeof value === "string" ? JSON.stringify(value.slice(0, length + 1)) : JSON.stringify(value);
  return text.length > length ? `${text.slice(0, length)}…` : text;
}
