// Tabs and widths of a mail that is looked at.
"use strict";

for (const card of document.querySelectorAll("[data-tabs]")) {
  const tabs = [...card.querySelectorAll('[role="tab"]')];
  const choose = (chosen) => {
    for (const tab of tabs) {
      const selected = tab === chosen;
      tab.setAttribute("aria-selected", selected);
      tab.tabIndex = selected ? 0 : -1;
      document.getElementById(tab.getAttribute("aria-controls")).hidden = !selected;
    }
    const widths = card.querySelector(".m-widths");
    if (widths) widths.hidden = chosen.id !== "tab-html";
  };
  tabs.forEach((tab, index) => {
    tab.addEventListener("click", () => choose(tab));
    tab.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (!step) return;
      let next = index;
      do next = (next + step + tabs.length) % tabs.length;
      while (tabs[next].disabled);
      tabs[next].focus();
      choose(tabs[next]);
    });
  });
  choose(tabs.find((tab) => tab.getAttribute("aria-selected") === "true"));

  for (const button of card.querySelectorAll("[data-width]")) {
    button.addEventListener("click", () => {
      for (const other of card.querySelectorAll("[data-width]")) {
        other.setAttribute("aria-pressed", other === button);
      }
      const stage = card.querySelector(".m-stage");
      stage.style.maxWidth = button.dataset.width ? `${button.dataset.width}px` : "";
    });
  }
}
