// A box that does not apply to what is chosen is switched off, and a box that is off is not sent.
function follow(choice, without, ...boxes) {
  const update = () => {
    for (const box of boxes) box.disabled = choice.value === without;
  };
  choice.addEventListener("change", update);
  update();
}

const field = (name) => document.getElementById(`id_${name}`);

// An order that buys or sells all has no size.
follow(field("buy_order_type"), "ALL", field("buy_order_value"));
follow(field("sell_order_type"), "ALL", field("sell_order_value"));
follow(
  field("order_type"),
  "MARKET",
  field("limit_offset_percent"),
  field("limit_timeout_seconds"),
  field("limit_timeout_action"),
);
