// An order that buys or sells all has no size: its box is switched off, and a box that is off is not sent.
function follow(type, value) {
  const update = () => {
    value.disabled = type.value === "ALL";
  };
  type.addEventListener("change", update);
  update();
}

for (const side of ["buy", "sell"]) {
  follow(document.getElementById(`id_${side}_order_type`), document.getElementById(`id_${side}_order_value`));
}
