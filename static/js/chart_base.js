// What all charts share: how lightweight-charts looks in the page's own colors, and how it writes times.
const { AreaSeries, CandlestickSeries, createChart, createSeriesMarkers, CrosshairMode, LineSeries, LineStyle } =
  LightweightCharts;

// The library cannot read CSS variables; legends and boxes already have the colors, resolved.
const markColor = (name) => getComputedStyle(document.querySelector(`.mark-${name}`)).backgroundColor;

const short = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const day = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });
const long = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
const local = (seconds) => new Date(seconds * 1000);
const TIME_OF_DAY = 3; // TickMarkType.Time; smaller ones mark days, months and years
const DAYS_WITH_HOURS = 5; // over a longer time the hours between two days say nothing

// A chart in the box that leaves scrolling to the page; `options` are the library's, over ours.
function newChart(box, options = {}) {
  return createChart(box, {
    autoSize: true,
    layout: { attributionLogo: false, background: { color: "transparent" }, fontFamily: "inherit" },
    crosshair: { mode: CrosshairMode.Normal },
    handleScroll: { mouseWheel: false, vertTouchDrag: false }, // the page scrolls, not the chart
    handleScale: { mouseWheel: false },
    ...options,
  });
}

// A chart whose times are Unix seconds, shown in the reader's own zone.
function newTimeChart(box) {
  const label = (seconds, type) => {
    const seen = chart.timeScale().getVisibleRange();
    const isHour = type >= TIME_OF_DAY && seen && seen.to - seen.from < DAYS_WITH_HOURS * 86400;
    return (isHour ? short : day).format(local(seconds));
  };
  const chart = newChart(box, {
    localization: { timeFormatter: (seconds) => long.format(local(seconds)) },
    timeScale: { timeVisible: true, minBarSpacing: 0.05, tickMarkFormatter: label },
  });
  return chart;
}

// For charts whose times are days in UTC, such as "2026-03-01".
const fullDay = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeZone: "UTC" });
const monthDay = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", timeZone: "UTC" });
const UTC_DAYS = {
  localization: { timeFormatter: (text) => fullDay.format(new Date(text)) },
  timeScale: { tickMarkFormatter: (text) => monthDay.format(new Date(text)) },
};

// Equity keeps clear of the pane's edges, and moves of less than this share of it look small.
const LEAST_MOVE_FRACTION = 0.02;

function roomy(series) {
  series.applyOptions({
    autoscaleInfoProvider: (original) => {
      const found = original();
      if (!found?.priceRange) return found;
      const { minValue, maxValue } = found.priceRange;
      const middle = (minValue + maxValue) / 2;
      const half = Math.max(maxValue - minValue, Math.abs(middle) * LEAST_MOVE_FRACTION) / 2;
      return { ...found, priceRange: { minValue: middle - half, maxValue: middle + half } };
    },
  });
  series.priceScale().applyOptions({ scaleMargins: { top: 0.15, bottom: 0.15 } });
  return series;
}

// All of its `count` bars, with room at the left for the first time's words.
function showWhole(chart, count) {
  chart.timeScale().setVisibleLogicalRange({ from: -0.06 * count, to: count });
}

// Colors are applied anew whenever the theme changes.
function dress(chart, box) {
  const { color, borderColor: line } = getComputedStyle(box);
  chart.applyOptions({
    layout: { textColor: color, panes: { separatorColor: line, separatorHoverColor: line } },
    grid: { vertLines: { color: line }, horzLines: { color: line } },
    rightPriceScale: { borderColor: line },
    timeScale: { borderColor: line },
  });
}

function dressCandles(series, tick) {
  const [buy, sell] = [markColor("buy"), markColor("sell")];
  const priceFormat = { type: "price", precision: places(tick), minMove: tick };
  series.applyOptions({ upColor: buy, downColor: sell, wickUpColor: buy, wickDownColor: sell, priceFormat });
}

const asCandle = ([time, open, high, low, close]) => ({ time, open, high, low, close });

// The arrow of a buy or a sale; its direction says the same as its color.
function asMarker(time, side, text, size = 1) {
  return side === "BUY"
    ? { time, position: "belowBar", shape: "arrowUp", color: markColor("buy"), text, size }
    : { time, position: "aboveBar", shape: "arrowDown", color: markColor("sell"), text, size };
}

function places(tick) {
  return Math.min(12, Math.max(2, Math.ceil(-Math.log10(tick))));
}

async function fetchJson(url) {
  const response = await fetch(url, { cache: "no-cache", headers: { Accept: "application/json" } });
  return response.ok ? response.json() : null;
}
