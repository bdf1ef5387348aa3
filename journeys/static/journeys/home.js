/* The charts of the first page, painted by the Chart.js that Unfold brings, in the theme's colours. */

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--color-${name}`).trim();
const charts = [];

function paint(canvas) {
  const { kind, labels, series } = JSON.parse(canvas.dataset.chart);
  const dark = document.documentElement.classList.contains("dark");
  const text = colour(dark ? "base-400" : "base-600");
  const lines = colour(dark ? "base-800" : "base-200");
  const datasets = series.map((one) => ({
    label: one.label,
    data: one.data,
    backgroundColor: colour(one.colour),
    borderColor: colour(one.colour),
    borderRadius: 3,
    borderWidth: kind === "line" ? 2 : 0,
    pointRadius: 0,
    pointHitRadius: 12,
  }));
  return new window.Chart(canvas, {
    type: kind,
    data: { labels, datasets },
    options: {
      animation: false,
      maintainAspectRatio: false,
      interaction: { mode: "index", intersect: false },
      plugins: {
        legend: { position: "bottom", labels: { color: text, boxWidth: 10, boxHeight: 10, usePointStyle: true } },
      },
      scales: {
        x: { grid: { display: false }, ticks: { color: text, maxRotation: 0, autoSkipPadding: 12 } },
        y: { beginAtZero: true, border: { display: false }, grid: { color: lines }, ticks: { color: text, precision: 0, maxTicksLimit: 5 } },
      },
    },
  });
}

function paintAll() {
  window.Chart.defaults.font.family = getComputedStyle(document.body).fontFamily;
  for (const chart of charts.splice(0)) chart.destroy();
  for (const canvas of document.querySelectorAll("canvas[data-chart]")) charts.push(paint(canvas));
}

paintAll();
new MutationObserver(paintAll).observe(document.documentElement, { attributes: true, attributeFilter: ["class"] });
