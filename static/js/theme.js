// Loaded blocking in <head>, so that the chosen theme is there before the first paint.
(() => {
  "use strict";
  const KEY = "hub-theme";
  const root = document.documentElement;
  const system = matchMedia("(prefers-color-scheme: dark)");
  const stored = () => {
    try {
      return localStorage.getItem(KEY);
    } catch {
      return null;
    }
  };
  const current = () => root.dataset.theme || (system.matches ? "dark" : "light");
  const press = () => {
    for (const button of document.querySelectorAll("[data-theme-toggle]")) {
      button.setAttribute("aria-pressed", String(current() === "dark"));
    }
  };
  const announce = () => {
    press();
    document.dispatchEvent(new CustomEvent("hub:theme", { detail: current() }));
  };

  if (stored() === "light" || stored() === "dark") root.dataset.theme = stored();
  document.addEventListener("DOMContentLoaded", press);
  system.addEventListener("change", announce);
  document.addEventListener("click", (event) => {
    if (!event.target.closest("[data-theme-toggle]")) return;
    root.dataset.theme = current() === "dark" ? "light" : "dark";
    try {
      localStorage.setItem(KEY, root.dataset.theme);
    } catch {
      /* private mode: this page only */
    }
    announce();
  });
})();
