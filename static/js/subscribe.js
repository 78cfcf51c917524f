// The boxes in which it is settled how a bot trades.

// A box that does not apply to what is chosen is switched off, and a box that is off is not sent.
function follow(name, without, ...boxes) {
  const choice = field(name);
  if (!choice) return;
  const update = () => {
    for (const box of boxes.map(field)) box.disabled = choice.value === without;
  };
  choice.addEventListener("change", update);
  update();
}

const field = (name) => document.getElementById(`id_${name}`);

// An order that buys or sells all has no size.
follow("buy_order_type", "ALL", "buy_order_value");
follow("sell_order_type", "ALL", "sell_order_value");
follow("order_type", "MARKET", "limit_offset_percent", "limit_timeout_seconds", "limit_timeout_action");

// A box goes back to what is proposed for it, by a button that is there while the two differ.
const said = Object.assign(document.createElement("p"), { role: "status", className: "visually-hidden" });
document.querySelector(".subscribe").append(said);

function isAsProposed(box, proposed) {
  if (box.type === "checkbox") return box.checked === (proposed !== "");
  const typed = box.value.trim();
  return typed === proposed || (typed !== "" && proposed !== "" && Number(typed) === Number(proposed));
}

function offerResets() {
  for (const button of document.querySelectorAll(".reset")) {
    const box = document.getElementById(button.dataset.box);
    button.hidden = box.disabled || isAsProposed(box, button.dataset.value);
  }
}

document.addEventListener("click", (event) => {
  const button = event.target.closest(".reset");
  if (!button) return;
  event.preventDefault();
  const box = document.getElementById(button.dataset.box);
  if (box.type === "checkbox") box.checked = button.dataset.value !== "";
  else box.value = button.dataset.value;
  box.classList.remove("is-invalid");
  box.removeAttribute("aria-invalid");
  document.getElementById(`${box.id}_error`)?.remove();
  for (const name of ["input", "change"]) box.dispatchEvent(new Event(name, { bubbles: true }));
  box.focus();
  said.textContent = button.dataset.said;
});
for (const name of ["input", "change"]) document.addEventListener(name, offerResets);
offerResets();
