/// What the page can do beyond showing: all of it can be read without.
let reportScript: Markup = #"""

  "use strict";
  (() => {
    const all = (selector, from = document) => [...from.querySelectorAll(selector)];

    // The theme: as the system has it, light, dark.
    const themes = ["system", "light", "dark"];
    const button = document.getElementById("theme");
    button.hidden = false;
    button.addEventListener("click", () => {
      const root = document.documentElement;
      const next = themes[(themes.indexOf(root.dataset.theme || "system") + 1) % 3];
      if (next === "system") delete root.dataset.theme; else root.dataset.theme = next;
      button.textContent = "Theme: " + next;
    });

    // The map says what the pointer or the focus is on.
    for (const map of all(".treemap")) {
      const output = document.getElementById(map.dataset.output);
      const tell = (event) => {
        const tile = event.target.closest("a, g");
        const title = tile && tile.querySelector("title");
        if (title) output.textContent = title.textContent;
      };
      map.addEventListener("pointerover", tell);
      map.addEventListener("focusin", tell);
    }

    // The table of tensors can be filtered, and sorted by any column.
    const table = document.getElementById("tensor-table");
    if (!table) return;
    const body = table.tBodies[0];
    const rows = all("tr", body);
    const filter = document.getElementById("filter");
    const count = document.getElementById("filter-count");
    filter.parentElement.hidden = false;
    filter.addEventListener("input", () => {
      const words = filter.value.toLowerCase().split(/\s+/);
      let shown = 0;
      for (const row of rows) {
        const name = row.cells[0].textContent.toLowerCase();
        row.hidden = !words.every((word) => name.includes(word));
        if (!row.hidden) shown += 1;
      }
      count.textContent = filter.value ? shown + " of " + rows.length : "";
    });
    const key = (row, column) => {
      const cell = row.cells[column];
      const value = parseFloat(cell.dataset.v ?? cell.textContent);
      return Number.isNaN(value) ? -Infinity : value;
    };
    all("th", table.tHead).forEach((heading, column) => {
      const sorter = document.createElement("button");
      sorter.type = "button";
      sorter.append(...heading.childNodes);
      heading.append(sorter);
      sorter.addEventListener("click", () => {
        const isDown = heading.getAttribute("aria-sort") === "descending";
        const isText = heading.classList.contains("text");
        const sign = isDown || (isText && !heading.hasAttribute("aria-sort")) ? 1 : -1;
        all("th", table.tHead).forEach((other) => other.removeAttribute("aria-sort"));
        heading.setAttribute("aria-sort", sign > 0 ? "ascending" : "descending");
        const text = (row) => row.cells[column].textContent;
        const compare = isText
          ? (a, b) => text(a).localeCompare(text(b), "en", { numeric: true })
          : (a, b) => key(a, column) - key(b, column);
        body.append(...rows.sort((a, b) => sign * compare(a, b)));
      });
    });

    // A link to a row that the filter hides shows it again.
    addEventListener("hashchange", () => {
      const row = document.getElementById(location.hash.slice(1));
      if (row && row.hidden) {
        filter.value = "";
        filter.dispatchEvent(new Event("input"));
        row.scrollIntoView();
      }
    });
  })();

  """#
