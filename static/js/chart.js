// Draws a subscription's candles, fills and equity.
const box = document.getElementById("chart");

let shown = null;
let view = null; // the chart and its series, made when there is something to draw in a box that has a size

function build() {
  const chart = newTimeChart(box);
  const candles = chart.addSeries(CandlestickSeries, { priceLineVisible: false, borderVisible: false });
  return { chart, candles, markers: createSeriesMarkers(candles, []), equity: null, capital: null };
}

function draw() {
  if (!shown?.candles.length) return;
  view ??= build();
  const { chart, candles, markers } = view;
  dress(chart, box);
  dressCandles(candles, shown.price_tick);
  candles.setData(shown.candles.map(asCandle));
  markers.setMarkers(
    shown.markers.map(([time, side]) => asMarker(time, side, side === "BUY" ? "Bought" : "Sold")),
  );
  if (shown.equity.length && !view.equity) {
    view.equity = roomy(chart.addSeries(AreaSeries, { lineWidth: 2, priceLineVisible: false }, 1));
    view.capital = createSeriesMarkers(view.equity, []);
    chart.panes()[0].setStretchFactor(3);
    chart.panes()[1].setStretchFactor(1);
  }
  view.equity?.applyOptions({
    lineColor: markColor("equity"),
    topColor: "transparent",
    bottomColor: "transparent",
  });
  view.equity?.setData(shown.equity.map(([time, value]) => ({ time, value })));
  view.capital?.setMarkers(shown.capital.map(([time, value]) => asNote(time, `capital ${round(value)}`)));
}

// where the line jumps, because its trader put something in or took something out
function asNote(time, text) {
  return { time, text, position: "aboveBar", shape: "square", color: markColor("equity"), size: 0.5 };
}

const round = (value) => value.toLocaleString(undefined, { maximumFractionDigits: 2 });

async function load() {
  const found = await fetchJson(box.dataset.url);
  if (!found) return; // the page itself says when the server does not answer
  shown = found;
  box.hidden = shown.candles.length === 0;
  document.getElementById("chart-empty").hidden = !box.hidden;
  draw();
}

load();
document.addEventListener("news", load);
document.addEventListener("themechange", draw);
