/* What Django and Unfold leave without a name for those who do not see the page: the boxes that
   Select2 puts in place of a select, and the question marks beside Django's lists of permissions;
   and names of columns that are written otherwise on a telephone than on a desk. */

{
  // On a telephone the heads of a list's columns stand beside each value.
  document.addEventListener("DOMContentLoaded", () => {
    for (const cell of document.querySelectorAll("#result_list [data-label]")) {
      cell.dataset.label = cell.dataset.label.replace(/^./u, (letter) => letter.toUpperCase());
    }
  });

  const nameBoxes = () => {
    for (const select of document.querySelectorAll("select.select2-hidden-accessible")) {
      const label = select.getAttribute("aria-label") ?? select.labels[0]?.textContent.trim();
      const box = select.nextElementSibling;
      if (!label || !box?.matches(".select2")) continue;
      for (const part of box.querySelectorAll('[role="combobox"], [role="textbox"]')) part.setAttribute("aria-label", label);
    }
    for (const tip of document.querySelectorAll(".help-tooltip:not([role])")) tip.setAttribute("role", "img");
  };
  // Both draw when the page has loaded, and Select2 anew when a value is chosen or cleared.
  addEventListener("load", () => setTimeout(nameBoxes));
  document.addEventListener("change", () => setTimeout(nameBoxes));
  // Unfold writes the name of a chosen file into the box of its own widget, which ours are not.
  const own = (event) => event.target.matches('.jb-input[type="file"]') && event.stopPropagation();
  document.addEventListener("change", own, true);
}
