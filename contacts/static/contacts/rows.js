// Rows of name, type and value: one more, one less.
document.addEventListener("click", (event) => {
  const remove = event.target.closest(".p-row-remove");
  if (remove) {
    remove.closest(".p-row").remove();
    return;
  }
  const add = event.target.closest("[data-rows-add]");
  if (add) {
    const rows = add.closest(".p-rows");
    const fresh = rows.querySelector("template").content.cloneNode(true);
    add.before(fresh);
    const made = rows.querySelectorAll(".p-row");
    made[made.length - 1].querySelector("input").focus();
  }
});
