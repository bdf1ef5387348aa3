/* What the toolbar says of the draft: whether there is something to publish or to discard. */

export class Toolbar {
  constructor(root) {
    this.publish = root.querySelector("[data-publish]");
    this.marks = [...root.querySelectorAll("[data-unpublished]")];
  }

  /** Show what the server said: with `unpublished`, live and draft differ. */
  show({ unpublished, publishable }) {
    for (const mark of this.marks) mark.hidden = !unpublished;
    if (!this.publish) return;
    this.publish.classList.toggle("jb-primary", publishable);
    this.publish.textContent = publishable ? "Check and publish" : "Nothing to publish";
  }
}
