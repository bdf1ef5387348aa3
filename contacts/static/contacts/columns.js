// What a column is mapped to decides which of its other fields are asked for.
function show(card) {
  const to = card.querySelector("[data-to]").value;
  for (const part of card.querySelectorAll("[data-for]")) {
    part.hidden = !part.dataset.for.split(" ").includes(to);
  }
  card.classList.toggle("p-skipped", to === "skip");
}

document.addEventListener("change", (event) => {
  const card = event.target.closest(".p-column");
  if (card) show(card);
});

document.addEventListener("DOMContentLoaded", () => {
  document.querySelectorAll(".p-column").forEach(show);
});
