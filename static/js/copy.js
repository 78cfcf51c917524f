// Puts a button beside each fingerprint that copies it; without a clipboard (plain HTTP) there is none.
function addButton(code) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "btn btn-sm btn-ghost-secondary copy";
  button.textContent = "Copy";
  const label = code.closest("div")?.querySelector("dt")?.textContent ?? "";
  button.setAttribute("aria-label", `Copy the fingerprint: ${label}`);
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(code.textContent);
    button.textContent = "Copied";
    setTimeout(() => (button.textContent = "Copy"), 2000);
  });
  code.after(" ", button);
  delete code.dataset.copy;
}

function addButtons() {
  if (navigator.clipboard) document.querySelectorAll("[data-copy]").forEach(addButton);
}

addButtons();
document.addEventListener("htmx:afterSwap", addButtons);
