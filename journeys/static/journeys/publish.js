/* The sum of what becomes of the people who are on the way, while one chooses. */

const selects = [...document.querySelectorAll("select[data-people]")];
const sum = document.querySelector("[data-sum]");
const people = (count) => `${count} ${count === 1 ? "person" : "people"}`;

function show() {
  if (!sum) return;
  const counts = { finish: 0, moved: 0, exit: 0 };
  for (const select of selects) {
    const what = ["finish", "exit"].includes(select.value) ? select.value : "moved";
    counts[what] += Number(select.dataset.people);
  }
  const parts = [
    counts.moved && `${people(counts.moved)} move to the new version`,
    counts.finish && `${people(counts.finish)} finish on the old one`,
    counts.exit && `${people(counts.exit)} leave the journey`,
  ].filter(Boolean);
  sum.textContent = parts.length ? `${parts.join(", ")}.` : "";
}

for (const select of selects) select.addEventListener("change", show);
for (const button of document.querySelectorAll("[data-all]")) {
  button.addEventListener("click", () => {
    for (const select of selects) {
      if ([...select.options].some((option) => option.value === button.dataset.all)) select.value = button.dataset.all;
    }
    show();
  });
}
show();
