// Keyboard cursor for tables with data-keyboard: j k ↑ ↓ move, Enter opens, x ticks, / filters, ? shows the keys.
(() => {
  "use strict";
  const typing = (target) =>
    target.closest("input:not([type=checkbox]), textarea, select, [contenteditable]");
  const rows = (table) =>
    [...table.querySelectorAll("tbody > tr")].filter((row) => row.querySelector("td"));
  const link = (row) => row.querySelector("a.row-link") || row.querySelector("a[href]");
  let active = null; // the table the cursor was last in
  let lost = null; // where the cursor stood when live.js replaced its row

  function table() {
    if (active && document.contains(active)) return active;
    active = document.querySelector("table[data-keyboard]");
    return active;
  }

  function place(row) {
    for (const old of document.querySelectorAll("tr.is-cursor")) {
      old.classList.remove("is-cursor");
      old.removeAttribute("aria-current");
    }
    if (!row) return;
    row.classList.add("is-cursor");
    row.setAttribute("aria-current", "true");
    active = row.closest("table");
    row.scrollIntoView({ block: "nearest" });
  }

  function move(step) {
    const all = table() ? rows(table()) : [];
    const at = all.findIndex((row) => row.classList.contains("is-cursor"));
    const next = all[at < 0 ? 0 : Math.max(0, Math.min(all.length - 1, at + step))];
    place(next);
    if (next && link(next)) link(next).focus({ preventScroll: true });
  }

  function tick(row) {
    const box = row.querySelector("input[type=checkbox]");
    if (box) box.click();
  }

  function act(event) {
    const cursor = document.querySelector("tr.is-cursor");
    switch (event.key) {
      case "j":
      case "ArrowDown":
        move(1);
        return true;
      case "k":
      case "ArrowUp":
        move(-1);
        return true;
      case "x":
        if (cursor) tick(cursor);
        return Boolean(cursor);
      case "Enter": {
        // A focused control keeps its own Enter.
        if (!cursor || !link(cursor) || event.target.closest("a, button, input, summary"))
          return false;
        link(cursor).click();
        return true;
      }
      default:
        return false;
    }
  }

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    if (typing(event.target) || document.querySelector("dialog[open]")) return;
    if (event.key === "?") {
      const help = document.getElementById("shortcuts");
      if (help) help.showModal();
    } else if (event.key === "/") {
      const filter = document.querySelector("[data-filter]");
      if (!filter) return;
      filter.focus();
      filter.select();
    } else if (!table() || event.target.closest("details[open], [role=listbox]") || !act(event))
      return;
    event.preventDefault();
  });

  document.addEventListener("focusin", (event) => {
    const row = event.target.closest("table[data-keyboard] tbody > tr");
    if (row && !row.classList.contains("is-cursor")) place(row);
  });

  // A click on a row's free space opens it; selecting text does not.
  document.addEventListener("click", (event) => {
    const row = event.target.closest(".table tbody > tr");
    if (!row || event.target.closest("a, button, input, label, select, summary")) return;
    const target = row.querySelector("a.row-link");
    if (!target || String(getSelection())) return;
    if (event.ctrlKey || event.metaKey) window.open(target.href, "_blank", "noopener");
    else target.click();
  });

  document.addEventListener("change", (event) => {
    if (!event.target.matches("[data-check-all]")) return;
    for (const box of event.target.closest("table").querySelectorAll("tbody .col-check input")) {
      box.checked = event.target.checked;
      box.dispatchEvent(new Event("input", { bubbles: true }));
    }
  });

  document.addEventListener("htmx:beforeSwap", () => {
    const cursor = document.querySelector("tr.is-cursor");
    const target = cursor && link(cursor);
    lost = target?.getAttribute("href");
  });
  document.addEventListener("htmx:afterSettle", () => {
    if (!lost || document.querySelector("tr.is-cursor")) return;
    const again = [...document.querySelectorAll("table[data-keyboard] tbody a")].find(
      (a) => a.getAttribute("href") === lost,
    );
    if (again) place(again.closest("tr"));
  });
})();
