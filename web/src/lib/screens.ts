/** The screens of a past, in the order of the menu. `key` follows `g`. */

export interface ScreenName {
  name: string;
  title: string;
  key: string;
  icon: string;
  about: string;
}

export const GROUPS: { title: string; screens: ScreenName[] }[] = [
  {
    title: "Look",
    screens: [
      { name: "events", title: "Events", key: "e", icon: "M2.5 4h11M2.5 8h11M2.5 12h7", about: "what happened, one line each" },
      { name: "board", title: "Board", key: "b", icon: "M2.5 3h3v10h-3zM6.5 3h3v6h-3zM10.5 3h3v8h-3z", about: "the tasks as they stood" },
      { name: "state", title: "State", key: "s", icon: "M3 3h4M5 6.5h5M7 10h5M5 13h4M3 3v10h2", about: "every value as it was" },
      { name: "files", title: "Files", key: "f", icon: "M4 2.5h5l3 3v8H4zM9 2.5v3h3", about: "the working tree as it was" },
      { name: "lanes", title: "Lanes", key: "l", icon: "M2.5 4.5h5M9.5 4.5h4M4.5 8h6M2.5 11.5h3M7.5 11.5h5", about: "who worked when" },
    ],
  },
  {
    title: "Compare",
    screens: [
      { name: "diff", title: "Changes", key: "d", icon: "M5 2.5v6M2 5.5h6M9 11.5h5", about: "what changed between two moments" },
      { name: "bisect", title: "Bisect", key: "i", icon: "M8 2v12M8 5l-4 3 4 3M8 5l4 3-4 3", about: "the first event that broke it" },
      { name: "what-if", title: "What if", key: "w", icon: "M2.5 8h4c3 0 3-4 7-4M6.5 8c3 0 3 4 7 4", about: "the same story with a change" },
    ],
  },
  {
    title: "Explain",
    screens: [
      { name: "blame", title: "Blame", key: "a", icon: "M8 13.5V7M8 7a2 2 0 1 0 0-4 2 2 0 0 0 0 4zM4 13.5h8", about: "which event made a value so" },
      { name: "graph", title: "Causes", key: "c", icon: "M4 4.5 8 11l4-6.5M4 4.5a1.2 1.2 0 1 0 0-.1M12 4.5a1.2 1.2 0 1 0 0-.1M8 12.5a1.2 1.2 0 1 0 0-.1", about: "what led to an event, and what followed" },
      { name: "rejections", title: "Rejections", key: "r", icon: "M8 2.5a5.5 5.5 0 1 0 0 11 5.5 5.5 0 0 0 0-11zM4.2 4.2l7.6 7.6", about: "what was asked and refused" },
    ],
  },
  {
    title: "Judge",
    screens: [
      { name: "proof", title: "Proof", key: "p", icon: "M8 2l5 2v4c0 3-2 5-5 6-3-1-5-3-5-6V4zM5.5 8l2 2 3-3.5", about: "how far the log is proved" },
      { name: "metrics", title: "Metrics", key: "m", icon: "M3 13V8M6.5 13V4M10 13V9.5M13.2 13V6", about: "time, attempts, tokens, cost" },
      { name: "notes", title: "Notes", key: "n", icon: "M4 2.5h8v11l-4-2.6-4 2.6z", about: "your marks on this past" },
    ],
  },
];

export const SCREENS: ScreenName[] = GROUPS.flatMap((group) => group.screens);
