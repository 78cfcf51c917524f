// Draws what a backtest found: candles with its fills, equity beside buy and hold, drawdown, and resampled paths.
const box = document.getElementById("chart");
const luckBox = document.getElementById("luck-chart");
const reading = document.getElementById("reading");
const MOST_WORDS = 10; // markers in view with words; more of them would hide each other
const MOST_LARGE = 100; // markers in view of full size

let shown = null;
let view = null;
let luck = null;

function line(chart, pane, options = {}) {
  const calm = { lineWidth: 2, priceLineVisible: false, lastValueVisible: false };
  return chart.addSeries(LineSeries, { ...calm, ...options }, pane);
}

function build() {
  const chart = newTimeChart(box);
  const candles = chart.addSeries(CandlestickSeries, { priceLineVisible: false, borderVisible: false });
  const parts = {
    chart,
    candles,
    markers: createSeriesMarkers(candles, []),
    hold: roomy(line(chart, 1, { lineStyle: LineStyle.Dashed })),
    equity: roomy(line(chart, 1)),
    drawdown: chart.addSeries(
      AreaSeries,
      {
        lineWidth: 1,
        priceLineVisible: false,
        lastValueVisible: false,
        priceFormat: { type: "custom", formatter: (value) => `${value.toFixed(1)} %`, minMove: 0.01 },
      },
      2,
    ),
  };
  [5, 3, 2].forEach((factor, pane) => chart.panes()[pane].setStretchFactor(factor));
  chart.subscribeCrosshairMove(read);
  chart.timeScale().subscribeVisibleTimeRangeChange(mark);
  return parts;
}

function draw() {
  if (!shown?.bars.length) return;
  const isNew = view === null;
  view ??= build();
  const { chart, candles, hold, equity, drawdown } = view;
  dress(chart, box);
  dressCandles(candles, shown.price_tick);
  candles.setData(shown.bars.map(asCandle));
  equity.applyOptions({ color: markColor("equity") });
  hold.applyOptions({ color: markColor("hold") });
  drawdown.applyOptions({
    lineColor: markColor("sell"),
    topColor: "transparent",
    bottomColor: "transparent",
    invertFilledArea: true,
  });
  equity.setData(shown.curve.map(([time, value]) => ({ time, value })));
  hold.setData(shown.curve.map(([time, , value]) => ({ time, value })));
  drawdown.setData(shown.curve.map(([time, , , value]) => ({ time, value })));
  if (isNew) showWhole(chart, shown.bars.length);
  mark();
}

// Fills, with words and at full size only where there is room for them.
function mark() {
  const seen = view.chart.timeScale().getVisibleRange();
  if (!seen) return;
  const count = shown.markers.filter(([time]) => time >= seen.from && time <= seen.to).length;
  const look = `${count <= MOST_WORDS} ${count <= MOST_LARGE} ${markColor("buy")}`;
  if (look === view.look) return;
  view.look = look;
  const size = count <= MOST_LARGE ? 1 : 0.4;
  const words = (side, times) => `${side === "BUY" ? "Bought" : "Sold"}${times > 1 ? ` ×${times}` : ""}`;
  view.markers.setMarkers(
    shown.markers.map(([time, side, times]) =>
      asMarker(time, side, count <= MOST_WORDS ? words(side, times) : "", size),
    ),
  );
}

// Under the crosshair: what the bar and the curve say there.
function read({ time }) {
  const index = shown.bars.findIndex(([opened]) => opened === time);
  if (index < 0) return;
  const [, open, high, low, close] = shown.bars[index].map((value) => value.toFixed(places(shown.price_tick)));
  const [, equity, hold, drawdown] = shown.curve[index];
  const fills = shown.markers
    .filter(([opened]) => opened === time)
    .map(([, side, count]) => `${side === "BUY" ? "bought" : "sold"}${count > 1 ? ` ×${count}` : ""}`);
  const said = [
    long.format(local(time)),
    `open ${open}, high ${high}, low ${low}, close ${close}`,
    `equity ${equity.toFixed(2)}`,
    `buy and hold ${hold.toFixed(2)}`,
    `drawdown ${drawdown.toFixed(2)} %`,
    ...fills,
  ];
  reading.textContent = said.join(" · ");
}

function buildLuck() {
  const chart = newChart(luckBox, UTC_DAYS);
  const paths = [
    line(chart, 0, { lineWidth: 1, lineStyle: LineStyle.Dashed }),
    line(chart, 0, { lineStyle: LineStyle.Dotted }),
    line(chart, 0, { lineWidth: 1, lineStyle: LineStyle.Dashed }),
    line(chart, 0),
  ].map((path) => roomy(path));
  return { chart, paths };
}

function drawLuck() {
  if (!luckBox || !shown?.luck.length) return;
  const isNew = luck === null;
  luck ??= buildLuck();
  dress(luck.chart, luckBox);
  const columns = [2, 3, 4, 1];
  luck.paths.forEach((path, index) => {
    path.applyOptions({ color: markColor(columns[index] === 1 ? "equity" : "hold") });
    path.setData(shown.luck.map((row) => ({ time: row[0], value: row[columns[index]] })));
  });
  if (isNew) showWhole(luck.chart, shown.luck.length);
}

// A trade's link brings its days into view above.
document.addEventListener("click", (event) => {
  const link = event.target.closest("[data-from]");
  if (!link || !view) return;
  event.preventDefault();
  box.closest("section").scrollIntoView();
  const [from, to] = [link.dataset.from, link.dataset.to].map((at) => Date.parse(at) / 1000);
  const bars = shown.bars.map(([opened]) => opened);
  const first = bars.findLastIndex((opened) => opened <= from);
  const last = bars.findLastIndex((opened) => opened <= to);
  const room = Math.max(20, last - first);
  view.chart.timeScale().setVisibleLogicalRange({ from: first - room, to: last + room });
});

document.getElementById("whole")?.addEventListener("click", () => view && showWhole(view.chart, shown.bars.length));

async function load() {
  shown = await fetchJson(box.dataset.url);
  draw();
  drawLuck();
}

if (box) {
  load();
  document.addEventListener("themechange", () => {
    draw();
    drawLuck();
  });
}
