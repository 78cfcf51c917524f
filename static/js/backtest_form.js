// Quick choices of a period, and how many candles the one that is chosen has.
const [begin, end, timeframe, counted] = ["id_begins_on", "id_ends_on", "id_timeframe", "candle-count"].map((id) =>
  document.getElementById(id),
);
const DAY = 86400;
const SECONDS = { "1m": 60, "5m": 300, "15m": 900, "30m": 1800, "1h": 3600, "4h": 14400, "1d": DAY };
const number = new Intl.NumberFormat();

function count() {
  const days = (Date.parse(end.value) - Date.parse(begin.value)) / 1000 / DAY + 1;
  const candles = Math.floor((days * DAY) / SECONDS[timeframe.value]);
  counted.textContent = days >= 1 ? `${number.format(days)} days, ${number.format(candles)} candles.` : "";
}

for (const choice of document.querySelectorAll("[data-days]")) {
  choice.addEventListener("click", () => {
    const last = Date.parse(end.max);
    end.value = end.max;
    begin.value = new Date(last - (choice.dataset.days - 1) * DAY * 1000).toISOString().slice(0, 10);
    count();
  });
}
document.getElementById("quick-periods").hidden = false;
for (const field of [begin, end, timeframe]) field.addEventListener("input", count);
count();
