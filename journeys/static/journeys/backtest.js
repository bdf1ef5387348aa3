/* A backtest: periods at a click, charts by the Chart.js that Unfold brings, numbers on the cards. */

const read = (id) => JSON.parse(document.getElementById(id)?.textContent ?? "null");
const short = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });

// --- choosing a period ---

for (const button of document.querySelectorAll("[data-first]")) {
  button.addEventListener("click", () => {
    document.getElementById("id_first").value = button.dataset.first;
    document.getElementById("id_last").value = button.dataset.last;
  });
}

// --- the charts ---

const found = read("chart");
const step = document.querySelector("[data-step]");
const charts = [];
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--color-${name}`).trim();

function datasets(choice, measure) {
  const dark = document.documentElement.classList.contains("dark");
  const sides = [{ label: "Draft", data: choice.draft[measure], colour: colour(dark ? "primary-500" : "primary-600") }];
  if (choice.live) sides.push({ label: "Live version", data: choice.live[measure], colour: colour("base-400") });
  return sides.map((side) => ({ label: side.label, data: side.data, backgroundColor: side.colour, borderRadius: 3, maxBarThickness: 28 }));
}

function paint(canvas, choice) {
  const dark = document.documentElement.classList.contains("dark");
  const text = colour(dark ? "base-400" : "base-600");
  return new window.Chart(canvas, {
    type: "bar",
    data: { labels: found.days, datasets: datasets(choice, Number(canvas.dataset.measure)) },
    options: {
      animation: false,
      maintainAspectRatio: false,
      interaction: { mode: "index", intersect: false },
      plugins: { legend: { position: "bottom", labels: { color: text, boxWidth: 10, boxHeight: 10, usePointStyle: true } } },
      scales: {
        x: { grid: { display: false }, ticks: { color: text, maxRotation: 0, autoSkipPadding: 16 } },
        y: { beginAtZero: true, suggestedMax: 4, border: { display: false }, grid: { color: colour(dark ? "base-800" : "base-200") }, ticks: { color: text, precision: 0, maxTicksLimit: 5 } },
      },
    },
  });
}

function paintAll() {
  const choice = found.choices[Number(step.value)];
  window.Chart.defaults.font.family = getComputedStyle(document.body).fontFamily;
  for (const chart of charts.splice(0)) chart.destroy();
  document.querySelector("[data-mails]").hidden = !choice.sends;
  for (const canvas of document.querySelectorAll("canvas[data-measure]")) {
    if (!canvas.closest("[hidden]")) charts.push(paint(canvas, choice));
  }
}

if (found) {
  paintAll();
  step.addEventListener("change", paintAll);
  new MutationObserver(paintAll).observe(document.documentElement, { attributes: true, attributeFilter: ["class"] });
}

// --- the numbers on the cards ---

function number(text, kind = "") {
  const element = document.createElement("span");
  element.className = `jb-number ${kind}`;
  element.textContent = text;
  return element;
}

function told(one) {
  if (!one) return [number("nobody")];
  const parts = [number(`${short.format(one.people)} ${one.people === 1 ? "person" : "people"}`, "jb-here")];
  if (one.mails) parts.push(number(`${short.format(one.mails)} mail${one.mails === 1 ? "" : "s"}`));
  if (one.skipped) parts.push(number(`${short.format(one.skipped)} skipped`));
  return parts;
}

const numbers = read("numbers");
for (const box of numbers ? document.querySelectorAll("[data-numbers]") : []) {
  const key = box.dataset.numbers;
  box.replaceChildren(...(key === "@entry" ? [number(`${short.format(numbers.entered)} entered`, "jb-here")] : told(numbers.nodes[key])));
}

// A picture that is wider than its place begins in the middle, where the journey begins.
for (const still of document.querySelectorAll(".jb-still")) still.scrollLeft = (still.scrollWidth - still.clientWidth) / 2;
