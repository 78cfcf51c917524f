// Keeps which bots are ticked for a comparison, in this tab, whatever list they were ticked in.
const KEPT = "compare";
const MOST = 4; // side by side: the one that was ticked first makes way

function chosen() {
  try {
    const kept = JSON.parse(sessionStorage.getItem(KEPT));
    return Array.isArray(kept) ? kept : [];
  } catch {
    return []; // no storage, or not ours: the form still works by itself
  }
}

function keep(slugs) {
  try {
    sessionStorage.setItem(KEPT, JSON.stringify(slugs.slice(-MOST)));
  } catch {
    return;
  }
  show();
}

function show() {
  const form = document.getElementById("compare");
  if (!form) return;
  const slugs = chosen();
  const boxes = [...document.querySelectorAll('[name="bot"][type="checkbox"]')];
  for (const box of boxes) box.checked = slugs.includes(box.value);
  for (const old of form.querySelectorAll('[type="hidden"]')) old.remove();
  for (const slug of slugs.filter((each) => !boxes.some((box) => box.value === each))) {
    form.append(Object.assign(document.createElement("input"), { type: "hidden", name: "bot", value: slug }));
  }
  const what = slugs.length > 1 ? `${slugs.length} bots` : "the chosen bots";
  form.querySelector('[type="submit"]').textContent = `Compare ${what}`;
  form.querySelector("[data-clear]").hidden = slugs.length === 0;
}

document.addEventListener("change", ({ target }) => {
  if (!target.matches('[name="bot"][type="checkbox"]')) return;
  const others = chosen().filter((slug) => slug !== target.value);
  keep(target.checked ? [...others, target.value] : others);
});
document.addEventListener("click", ({ target }) => {
  if (target.closest("[data-clear]")) keep([]);
});
document.addEventListener("htmx:afterSettle", show);
window.addEventListener("pageshow", show);
