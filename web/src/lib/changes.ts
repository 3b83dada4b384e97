/** What differs between two values, as the server tells it: objects by name, lists by index. */

import type { Change, Json } from "./answers.ts";

const isObject = (value: unknown): value is { [name: string]: Json } => typeof value === "object" && value !== null && !Array.isArray(value);
const below = (pointer: string, name: string | number): string => `${pointer}/${String(name).replaceAll("~", "~0").replaceAll("/", "~1")}`;

export function changesOf(before: Json | undefined, after: Json | undefined, pointer: string): Change[] {
  if (before === after) return [];
  if (before === undefined) return after === undefined ? [] : [{ op: "add", pointer, before: null, after }];
  if (after === undefined) return [{ op: "remove", pointer, before, after: null }];
  if (isObject(before) && isObject(after)) {
    const names = [...Object.keys(before), ...Object.keys(after).filter((name) => !Object.hasOwn(before, name))];
    const valueOf = (one: { [name: string]: Json }, name: string): Json | undefined => (Object.hasOwn(one, name) ? one[name] : undefined);
    return names.flatMap((name) => changesOf(valueOf(before, name), valueOf(after, name), below(pointer, name)));
  }
  if (Array.isArray(before) && Array.isArray(after)) {
    const length = Math.max(before.length, after.length);
    return Array.from({ length }, (_, index) => changesOf(before[index], after[index], below(pointer, index))).flat();
  }
  return [{ op: "replace", pointer, before, after }];
}
