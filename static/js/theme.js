// Loaded before the stylesheets and not deferred: the theme stands before the first paint, without a flash.
(() => {
  const KEY = "theme";
  const prefersDark = matchMedia("(prefers-color-scheme: dark)");

  // Storage throws where the reader has blocked it; the choice then lasts for the page only.
  // The admin keeps its own choice by the same name, and "auto" where there is none.
  function remembered() {
    try {
      const choice = localStorage.getItem(KEY);
      return ["light", "dark"].includes(choice) ? choice : null;
    } catch {
      return null;
    }
  }

  function remember(theme) {
    try {
      localStorage.setItem(KEY, theme);
    } catch {
      return;
    }
  }

  const BARS = { light: "#ffffff", dark: "#181f2a" }; // of the browser or the app, as the header below it

  function show(theme) {
    document.documentElement.dataset.bsTheme = theme;
    for (const meta of document.querySelectorAll('meta[name="theme-color"]')) meta.content = BARS[theme];
    document.dispatchEvent(new CustomEvent("themechange", { detail: theme }));
  }

  const system = () => (prefersDark.matches ? "dark" : "light");
  show(remembered() ?? system());
  prefersDark.addEventListener("change", () => remembered() ?? show(system()));

  document.addEventListener("DOMContentLoaded", () => {
    const toggle = document.querySelector("[data-theme-toggle]");
    toggle.hidden = false;
    toggle.addEventListener("click", () => {
      const next = document.documentElement.dataset.bsTheme === "dark" ? "light" : "dark";
      remember(next);
      show(next);
    });
  });
})();
