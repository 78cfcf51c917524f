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
