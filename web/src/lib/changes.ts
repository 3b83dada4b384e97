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
    const at = (index: number): Change[] => changesOf(before[index], after[index], below(pointer, index));
    const kept = Math.min(before.length, after.length);
    const longer = Array.from({ length: Math.abs(before.length - after.length) }, (_, index) => kept + index);
    // What a list loses is told from its end, so that the changes can be done one after the other.
    if (before.length > after.length) longer.reverse();
    return [...Array.from({ length: kept }, (_, index) => index), ...longer].flatMap(at);
  }
  return [{ op: "replace", pointer, before, after }];
}
