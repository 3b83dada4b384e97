/** Light, dark, or as the system says. */

type Theme = "system" | "light" | "dark";
const KEY = "esaa-theme";

class ThemeChoice {
  value: Theme = $state("system");

  constructor() {
    try {
      const kept = localStorage.getItem(KEY);
      if (kept === "light" || kept === "dark") this.value = kept;
    } catch {
      // Some browsers refuse storage to files; the system's choice stands.
    }
    this.#apply();
  }

  get isDark(): boolean {
    return this.value === "dark" || (this.value === "system" && matchMedia("(prefers-color-scheme: dark)").matches);
  }

  toggle(): void {
    this.value = this.isDark ? "light" : "dark";
    try {
      localStorage.setItem(KEY, this.value);
    } catch {
      // Not kept: see above.
    }
    this.#apply();
  }

  #apply(): void {
    if (this.value === "system") delete document.documentElement.dataset["theme"];
    else document.documentElement.dataset["theme"] = this.value;
  }
}

export const theme = new ThemeChoice();
