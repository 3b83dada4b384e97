"use strict";
(() => {
  // Sorting: a button in every heading; the order of the page comes back with the third press.
  const value = (row, column) => {
    const cell = row.cells[column];
    return cell.dataset.order === undefined ? cell.textContent.trim().toLowerCase() : Number(cell.dataset.order);
  };
  const compare = (a, b) => {
    if (a === b) return 0;
    if (a === "") return 1;
    if (b === "") return -1;
    return a < b ? -1 : 1;
  };
  for (const table of document.querySelectorAll("table.sortable")) {
    const body = table.tBodies[0];
    if (body.rows.length < 2) continue;
    const original = Array.from(body.rows);
    Array.from(table.tHead.rows[0].cells).forEach((heading, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = heading.textContent;
      heading.replaceChildren(button);
      heading.setAttribute("aria-sort", "none");
      button.addEventListener("click", () => {
        const before = heading.getAttribute("aria-sort");
        const next = before === "none" ? "ascending" : before === "ascending" ? "descending" : "none";
        for (const other of table.tHead.rows[0].cells) other.setAttribute("aria-sort", "none");
        heading.setAttribute("aria-sort", next);
        let rows = original;
        if (next !== "none") {
          const sign = next === "ascending" ? 1 : -1;
          rows = original.map((row) => [value(row, column), row]);
          rows.sort((a, b) => sign * compare(a[0], b[0]));
          rows = rows.map((pair) => pair[1]);
        }
        body.append(...rows);
      });
    });
  }

  // Filtering: every word must occur, anywhere in the row or its details.
  const field = document.getElementById("filter");
  const table = document.getElementById("event-table");
  if (field && table) {
    const shown = document.getElementById("shown");
    const rows = Array.from(table.tBodies[0].rows);
    const texts = [];
    const apply = () => {
      const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
      let count = 0;
      rows.forEach((row, number) => {
        if (words.length && texts[number] === undefined) texts[number] = row.textContent.toLowerCase();
        row.hidden = !words.every((word) => texts[number].includes(word));
        if (!row.hidden) count += 1;
      });
      shown.textContent = words.length ? `${count} of ${rows.length} events` : `${rows.length} events`;
    };
    field.addEventListener("input", apply);
    field.closest(".tools").hidden = false;
    apply();
    // A link to an event that the filter hides shows it.
    window.addEventListener("hashchange", () => {
      const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
      if (target && target.hidden) {
        field.value = "";
        apply();
        target.scrollIntoView({ block: "center" });
      }
    });
  }
})();
