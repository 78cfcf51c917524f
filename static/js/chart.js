// Draws a subscription's candles, fills and equity with lightweight-charts, in the page's own colors.
const { AreaSeries, CandlestickSeries, createChart, createSeriesMarkers, CrosshairMode } = LightweightCharts;
const box = document.getElementById("chart");

// The library cannot read CSS variables; the legend and the box already have the colors, resolved.
function colors() {
  const background = (selector) => getComputedStyle(document.querySelector(selector)).backgroundColor;
  const { color, borderColor } = getComputedStyle(box);
  return {
    buy: background(".mark-buy"),
    sell: background(".mark-sell"),
    equity: background(".mark-equity"),
    text: color,
    line: borderColor,
  };
}

const short = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const day = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });
const long = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
const local = (seconds) => new Date(seconds * 1000);
const TIME_OF_DAY = 3; // TickMarkType.Time; smaller ones mark days, months and years

let shown = null;
let view = null; // the chart and its series, made when there is something to draw in a box that has a size

function build() {
  const chart = createChart(box, {
    autoSize: true,
    layout: { attributionLogo: false, background: { color: "transparent" }, fontFamily: "inherit" },
    crosshair: { mode: CrosshairMode.Normal },
    localization: { timeFormatter: (seconds) => long.format(local(seconds)) },
    timeScale: {
      timeVisible: true,
      tickMarkFormatter: (seconds, type) => (type < TIME_OF_DAY ? day : short).format(local(seconds)),
    },
    handleScroll: { mouseWheel: false, vertTouchDrag: false }, // the page scrolls, not the chart
    handleScale: { mouseWheel: false },
  });
  const candles = chart.addSeries(CandlestickSeries, { priceLineVisible: false, borderVisible: false });
  return { chart, candles, markers: createSeriesMarkers(candles, []), equity: null };
}

function draw() {
  if (!shown?.candles.length) return;
  view ??= build();
  const { chart, candles, markers } = view;
  const { buy, sell, equity: equityColor, text, line } = colors();
  chart.applyOptions({
    layout: { textColor: text, panes: { separatorColor: line, separatorHoverColor: line } },
    grid: { vertLines: { color: line }, horzLines: { color: line } },
    rightPriceScale: { borderColor: line },
    timeScale: { borderColor: line },
  });
  const priceFormat = { type: "price", precision: places(shown.price_tick), minMove: shown.price_tick };
  candles.applyOptions({ upColor: buy, downColor: sell, wickUpColor: buy, wickDownColor: sell, priceFormat });
  candles.setData(shown.candles.map(([time, open, high, low, close]) => ({ time, open, high, low, close })));
  markers.setMarkers(
    shown.markers.map(([time, side]) =>
      side === "BUY"
        ? { time, position: "belowBar", shape: "arrowUp", color: buy, text: "Bought" }
        : { time, position: "aboveBar", shape: "arrowDown", color: sell, text: "Sold" },
    ),
  );
  if (shown.equity.length && !view.equity) {
    view.equity = chart.addSeries(AreaSeries, { lineWidth: 2, priceLineVisible: false }, 1);
    chart.panes()[0].setStretchFactor(3);
    chart.panes()[1].setStretchFactor(1);
  }
  view.equity?.applyOptions({ lineColor: equityColor, topColor: "transparent", bottomColor: "transparent" });
  view.equity?.setData(shown.equity.map(([time, value]) => ({ time, value })));
}

function places(tick) {
  return Math.min(12, Math.max(2, Math.ceil(-Math.log10(tick))));
}

async function load() {
  const response = await fetch(box.dataset.url, { cache: "no-cache", headers: { Accept: "application/json" } });
  if (!response.ok) return; // the page itself says when the server does not answer
  shown = await response.json();
  box.hidden = shown.candles.length === 0;
  document.getElementById("chart-empty").hidden = !box.hidden;
  draw();
}

load();
document.addEventListener("news", load);
document.addEventListener("themechange", draw);
