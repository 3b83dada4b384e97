/** JSON pointers: the names on the way to a value. */

export function namesOf(pointer: string): string[] {
  return pointer === "" ? [] : pointer.slice(1).split("/").map((name) => name.replaceAll("~1", "/").replaceAll("~0", "~"));
}

export function pointerOf(names: string[]): string {
  return names.map((name) => `/${name.replaceAll("~", "~0").replaceAll("/", "~1")}`).join("");
}

/** True where one of two pointers lies in the other. */
export function isOnOneWay(one: string, other: string): boolean {
  return one === other || one.startsWith(`${other}/`) || other.startsWith(`${one}/`);
}
