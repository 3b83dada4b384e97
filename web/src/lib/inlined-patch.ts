/** The unified patch between two texts, for files of an exported page. */

const CONTEXT = 3;
const CELLS_MAX = 4_000_000;

interface Step {
  sign: " " | "-" | "+";
  text: string;
}

/** The hunks of a patch, without the names of files; null where nothing differs. */
export function patchOf(before: string, after: string): string | null {
  if (before === after) return null;
  const steps = stepsOf(linesOf(before), linesOf(after));
  const out: string[] = [];
  let start = 0;
  while (start < steps.length) {
    const first = steps.findIndex((step, index) => index >= start && step.sign !== " ");
    if (first < 0) break;
    let end = first;
    // A hunk goes on while the next change is so near that its context would touch.
    for (let index = first; index < steps.length && index <= end + 2 * CONTEXT; index++) if (steps[index]?.sign !== " ") end = index;
    const from = Math.max(start, first - CONTEXT);
    const until = Math.min(steps.length, end + CONTEXT + 1);
    const upTo = (sign: "-" | "+", last: number): number => steps.slice(0, last).filter((step) => step.sign === " " || step.sign === sign).length;
    const [oldFrom, newFrom] = [upTo("-", from), upTo("+", from)];
    const [oldSize, newSize] = [upTo("-", until) - oldFrom, upTo("+", until) - newFrom];
    out.push(`@@ -${oldSize ? oldFrom + 1 : oldFrom},${oldSize} +${newSize ? newFrom + 1 : newFrom},${newSize} @@`);
    for (const step of steps.slice(from, until)) out.push(step.sign + step.text);
    start = until;
  }
  return `${out.join("\n")}\n`;
}

function linesOf(text: string): string[] {
  return text === "" ? [] : text.replace(/\n$/, "").split("\n");
}

function stepsOf(before: string[], after: string[]): Step[] {
  let head = 0;
  while (head < before.length && head < after.length && before[head] === after[head]) head++;
  let tail = 0;
  while (tail < before.length - head && tail < after.length - head && before.at(-1 - tail) === after.at(-1 - tail)) tail++;
  const same = (texts: string[]): Step[] => texts.map((text) => ({ sign: " ", text }));
  const middle = between(before.slice(head, before.length - tail), after.slice(head, after.length - tail));
  return [...same(before.slice(0, head)), ...middle, ...same(before.slice(before.length - tail))];
}

/** The longest common subsequence of lines; texts that are too long for it are replaced as a whole. */
function between(before: string[], after: string[]): Step[] {
  const [rows, columns] = [before.length, after.length];
  const removed = (text: string): Step => ({ sign: "-", text });
  const added = (text: string): Step => ({ sign: "+", text });
  if (rows * columns > CELLS_MAX) return [...before.map(removed), ...after.map(added)];
  const width = columns + 1;
  const lengths = new Uint32Array((rows + 1) * width);
  for (let row = rows - 1; row >= 0; row--) {
    for (let column = columns - 1; column >= 0; column--) {
      const below = lengths[(row + 1) * width + column] ?? 0;
      const right = lengths[row * width + column + 1] ?? 0;
      const both = (lengths[(row + 1) * width + column + 1] ?? 0) + 1;
      lengths[row * width + column] = before[row] === after[column] ? both : Math.max(below, right);
    }
  }
  const steps: Step[] = [];
  let [row, column] = [0, 0];
  while (row < rows || column < columns) {
    if (row < rows && column < columns && before[row] === after[column]) {
      steps.push({ sign: " ", text: before[row] ?? "" });
      row++;
      column++;
    } else if (column >= columns || (row < rows && (lengths[(row + 1) * width + column] ?? 0) >= (lengths[row * width + column + 1] ?? 0))) {
      steps.push(removed(before[row++] ?? ""));
    } else {
      steps.push(added(after[column++] ?? ""));
    }
  }
  return steps;
}
