// Draws the return of two backtests in one chart, in percent of each one's capital.
const box = document.getElementById("chart");

let shown = null;
let view = null;

function build() {
  const chart = newTimeChart(box);
  const percent = { type: "custom", formatter: (value) => `${value.toFixed(1)} %`, minMove: 0.01 };
  const calm = { lineWidth: 2, priceLineVisible: false, priceFormat: percent };
  return {
    chart,
    lines: [
      chart.addSeries(LineSeries, calm),
      chart.addSeries(LineSeries, { ...calm, lineStyle: LineStyle.Dashed }),
    ],
  };
}

function draw() {
  if (!shown) return;
  const isNew = view === null;
  view ??= build();
  dress(view.chart, box);
  view.lines.forEach((line, index) => {
    const { curve, capital } = shown[index];
    line.applyOptions({ color: markColor(index ? "second" : "equity") });
    line.setData(curve.map(([time, equity]) => ({ time, value: (equity / capital - 1) * 100 })));
  });
  if (isNew) showWhole(view.chart, new Set(shown.flatMap(({ curve }) => curve.map(([time]) => time))).size);
}

async function load() {
  const found = await Promise.all([box.dataset.a, box.dataset.b].map(fetchJson));
  if (found.every(Boolean)) shown = found;
  draw();
}

if (box) {
  load();
  document.addEventListener("themechange", draw);
}
