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

    // Many links that belong together are one stop of the Tab key; arrows go from one to its neighbour.
    const steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    const centre = (element) => {
      const box = element.getBoundingClientRect();
      return [box.x + box.width / 2, box.y + box.height / 2];
    };
    for (const group of all("[data-roving]")) {
      const links = all("a[href]", group);
      const choose = (link) => links.forEach((other) => {
        other.setAttribute("tabindex", other === link ? "0" : "-1");
      });
      choose(links[0]);
      group.addEventListener("focusin", (event) => {
        const link = event.target.closest("a[href]");
        if (link) choose(link);
      });
      group.addEventListener("keydown", (event) => {
        const from = event.target.closest("a[href]");
        if (!from || event.altKey || event.ctrlKey || event.metaKey) return;
        let next = { Home: links[0], End: links[links.length - 1] }[event.key];
        const step = steps[event.key];
        if (step) {
          const [x, y] = centre(from);
          let nearest = Infinity;
          for (const link of links) {
            const [dx, dy] = centre(link).map((place, axis) => place - [x, y][axis]);
            const along = dx * step[0] + dy * step[1];
            const aside = Math.abs(dx * step[1]) + Math.abs(dy * step[0]);
            if (along > 1 && along + 3 * aside < nearest) [nearest, next] = [along + 3 * aside, link];
          }
        }
        if (!next) return;
        event.preventDefault();
        next.focus();
      });
    }

    // Tables can be sorted by any column.
    const key = (row, column) => {
      const cell = row.cells[column];
      const value = parseFloat(cell.dataset.v ?? cell.textContent);
      return Number.isNaN(value) ? -Infinity : value;
    };
    const compare = (a, b) => (a === b ? 0 : a < b ? -1 : 1);
    for (const table of all("table.sortable")) {
      const body = table.tBodies[0];
      const rows = [...body.rows];
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
          const order = isText
            ? (a, b) => text(a).localeCompare(text(b), "en", { numeric: true })
            : (a, b) => compare(key(a, column), key(b, column));
          body.append(...rows.sort((a, b) => sign * order(a, b)));
        });
      });
    }

    // They can be filtered: by words, by patterns as --include has them, and by what a column says.
    const pattern = (glob) => {
      let text = "";
      for (let place = 0; place < glob.length; place += 1) {
        const letter = glob[place];
        const set = letter === "[" ? glob.slice(place).match(/^\[([!^]?)(\]?[^\]]*)\]/u) : null;
        if (letter === "*") text += ".*";
        else if (letter === "?") text += ".";
        else if (set && set[2]) {
          text += "[" + (set[1] && "^") + set[2].replace(/[\\\[\]^]/gu, "\\$&") + "]";
          place += set[0].length - 1;
        } else text += letter.replace(/[\\^$.|+(){}\[\]\/]/gu, "\\$&");
      }
      try { return new RegExp("^" + text + "$", "su"); } catch { return null; }
    };
    const test = (word) => {
      const glob = /[*?\[]/u.test(word) ? pattern(word) : null;
      const lower = word.toLowerCase();
      return glob
        ? (name) => glob.test(name) || name.split(" → ").some((part) => glob.test(part))
        : (name) => name.toLowerCase().includes(lower);
    };
    for (const controls of all(".filter")) {
      const rows = [...document.getElementById(controls.dataset.table).tBodies[0].rows];
      const [input, output] = [controls.querySelector("input"), controls.querySelector("output")];
      const choices = all("select", controls);
      const filter = () => {
        const tests = input.value.split(/\s+/u).filter(Boolean).map(test);
        let shown = 0;
        for (const row of rows) {
          const name = row.cells[0].textContent;
          row.hidden = !tests.every((holds) => holds(name))
            || choices.some((c) => c.value && row.cells[c.dataset.column].textContent !== c.value);
          if (!row.hidden) shown += 1;
        }
        output.textContent = shown < rows.length ? shown + " of " + rows.length : "";
      };
      controls.hidden = false;
      controls.addEventListener("input", filter);
      // A link to a row that the filter hides shows it again.
      addEventListener("hashchange", () => {
        const row = document.getElementById(location.hash.slice(1));
        if (!row || !row.hidden || !rows.includes(row)) return;
        for (const control of [input, ...choices]) control.value = "";
        filter();
        row.scrollIntoView();
      });
    }
  })();

  """#
