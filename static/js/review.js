// In a row under the keyboard cursor a, r and u press the button that names the key.
(() => {
  "use strict";
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    if (event.target.closest("input:not([type=checkbox]), textarea, select, dialog[open]")) return;
    const row = document.querySelector("tr.is-cursor");
    const button =
      row && /^[aru]$/.test(event.key) && row.querySelector(`button[data-key="${event.key}"]`);
    if (!button) return;
    event.preventDefault();
    button.click();
  });
})();
