/** Colours for what is drawn: a canvas cannot read `light-dark()` or `var()`, so the browser is asked what they come to. */

export function coloursOf(element: Element, names: readonly string[]): Record<string, string> {
  const probe = document.createElement("i");
  probe.hidden = true;
  (element.parentElement ?? document.body).append(probe);
  const found: Record<string, string> = {};
  for (const name of names) {
    probe.style.color = `var(--${name})`;
    found[name] = getComputedStyle(probe).color;
  }
  probe.remove();
  return found;
}

const HUES = 6;

/** The place of an actor in the palette; the orchestrator and other machinery are grey (-1). */
export function hueOf(actor: string, actors: readonly string[]): number {
  if (/^(orchestrator|runtime)/.test(actor)) return -1;
  const people = actors.filter((name) => !/^(orchestrator|runtime)/.test(name));
  const index = people.indexOf(actor);
  return index < 0 ? -1 : index % HUES;
}

/** The name of the colour of an actor, without its dashes. */
export function actorColour(actor: string, actors: readonly string[]): string {
  const hue = hueOf(actor, actors);
  return hue < 0 ? "actor-none" : `actor-${hue}`;
}
