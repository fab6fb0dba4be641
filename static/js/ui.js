// Dialogs, copy buttons, menus, toasts, the peek panel: small behaviours by data attribute.
(() => {
  "use strict";
  const TOAST_MS = 6000;

  function toast(text, tone) {
    const box = document.getElementById("messages");
    if (!box) return;
    const item = document.createElement("div");
    item.className = "toast";
    item.dataset.tone = tone;
    const words = document.createElement("span");
    words.textContent = text;
    const close = document.createElement("button");
    close.className = "btn btn-quiet btn-sm btn-icon";
    close.dataset.toastClose = "";
    close.setAttribute("aria-label", "Dismiss");
    close.textContent = "×";
    item.append(words, close);
    box.append(item);
    fade(item);
  }

  // Good news leaves by itself, bad news waits to be read.
  function fade(item) {
    if (item.dataset.tone !== "bad" && item.dataset.tone !== "warn")
      setTimeout(() => item.remove(), TOAST_MS);
  }

  async function copy(button) {
    const source = button.closest(".code").querySelector("pre");
    try {
      await navigator.clipboard.writeText(source.textContent);
    } catch {
      getSelection().selectAllChildren(source); // no clipboard on plain http: leave it selected
      toast("Selected. Press Ctrl+C to copy.", "info");
      return;
    }
    const label = button.textContent;
    button.textContent = "Copied";
    setTimeout(() => {
      button.textContent = label;
    }, 1500);
  }

  function closePeek() {
    const peek = document.getElementById("peek");
    if (!peek || !peek.firstChild) return false;
    peek.replaceChildren();
    document.querySelector("tr.is-cursor a")?.focus();
    return true;
  }

  document.addEventListener("click", (event) => {
    const on = (selector) => event.target.closest(selector);
    for (const menu of document.querySelectorAll("details.menu[open]")) {
      if (!menu.contains(event.target)) menu.open = false;
    }
    if (on("[data-dialog-open]"))
      document.getElementById(on("[data-dialog-open]").dataset.dialogOpen)?.showModal();
    else if (on("[data-dialog-close]")) on("dialog")?.close();
    else if (event.target.matches("dialog[open]"))
      event.target.close(); // the backdrop
    else if (on("[data-copy]")) copy(on("[data-copy]"));
    else if (on("[data-toast-close]")) on(".toast").remove();
    else if (on("[data-peek-close]")) closePeek();
  });

  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || document.querySelector("dialog[open]")) return;
    const menu = document.querySelector("details.menu[open]");
    if (menu) {
      menu.open = false;
      menu.querySelector("summary").focus();
    } else if (!closePeek() && location.hash === "#sidebar") location.hash = "main";
  });

  const failure = (status) =>
    status === 403
      ? "You may not do this in this workspace."
      : status === 404
        ? "This is no longer here. Reload the page."
        : `The server could not do this (${status}). Nothing was changed.`;
  document.addEventListener("htmx:responseError", (event) => {
    // A fragment that refreshes itself tries again at the next event; only what a person did is worth a word.
    if (event.detail.requestConfig.triggeringEvent?.type !== "live")
      toast(failure(event.detail.xhr.status), "bad");
  });
  document.addEventListener("htmx:sendError", (event) => {
    if (event.detail.requestConfig?.triggeringEvent?.type !== "live")
      toast("The server cannot be reached.", "bad");
  });
  document.querySelectorAll(".toast").forEach(fade);

  // What scrolls sideways must be reachable by keys, also where nothing in it takes the focus.
  function reach() {
    for (const box of document.querySelectorAll(".table-wrap")) {
      const scrolls =
        box.scrollWidth > box.clientWidth && !box.querySelector("a[href], button, input, select");
      if (!scrolls) {
        for (const name of ["tabindex", "role", "aria-label"]) box.removeAttribute(name);
        continue;
      }
      box.tabIndex = 0;
      box.setAttribute("role", "group");
      box.setAttribute("aria-label", box.querySelector("caption")?.textContent || "Table");
    }
  }
  reach();
  window.addEventListener("resize", reach);
  document.addEventListener("htmx:afterSettle", reach);
})();
