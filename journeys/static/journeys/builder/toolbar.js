/* What the toolbar says of the draft: whether there is something to publish or to discard. */

export class Toolbar {
  constructor(root) {
    this.publish = root.querySelector("[data-publish]");
    this.marks = [...root.querySelectorAll("[data-unpublished]")];
    this.menu = root.querySelector(".jb-menu");
    document.addEventListener("click", (event) => {
      if (!event.target.closest(".jb-menu summary")) this.menu?.removeAttribute("open");
    });
    // Before all others, and wherever the focus is: a panel that opens late takes it from the menu.
    document.addEventListener(
      "keydown",
      (event) => {
        if (event.key !== "Escape" || !this.menu?.open) return;
        event.stopPropagation();
        this.menu.removeAttribute("open");
        this.menu.querySelector("summary").focus();
      },
      { capture: true },
    );
  }

  /** Show what the server said: with `unpublished`, live and draft differ. */
  show({ unpublished, publishable }) {
    for (const mark of this.marks) mark.hidden = !unpublished;
    if (!this.publish) return;
    this.publish.classList.toggle("jb-primary", publishable);
    this.publish.textContent = publishable ? "Check and publish" : "Nothing to publish";
  }
}
