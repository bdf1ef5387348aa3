/* What can stand on a line: a new step, what was copied, or a step that is there already. */

import { element, icon } from "./dom.js";

export class Palette {
  constructor(dialog) {
    this.dialog = dialog;
    this.search = dialog.querySelector("[data-search]");
    this.list = dialog.querySelector("[data-options]");
    this.title = dialog.querySelector("[data-title]");
    this.search.addEventListener("input", () => this.filter());
    this.search.addEventListener("keydown", (event) => this.keys(event));
    this.list.addEventListener("keydown", (event) => this.keys(event));
    dialog.querySelector("[data-close]").addEventListener("click", () => dialog.close());
    dialog.addEventListener("click", (event) => {
      if (event.target === dialog) dialog.close();
    });
  }

  /** Ask what to put there. `groups` are `{title, options: [{icon, kind, label, description, act}]}`. */
  ask(title, groups) {
    this.title.textContent = title;
    this.search.value = "";
    this.list.replaceChildren(
      ...groups.filter((group) => group.options.length).map((group) => this.group(group)),
    );
    this.filter();
    this.dialog.showModal();
    this.search.focus();
  }

  group({ title, options }) {
    const rows = options.map((option) => {
      const button = element("button", { type: "button", class: "jb-option" }, [
        icon(option.icon, option.kind),
        element("span", { class: "jb-option-text" }, [
          element("strong", {}, [option.label]),
          element("span", {}, [option.description ?? ""]),
        ]),
      ]);
      button.dataset.words = `${option.label} ${option.description ?? ""}`.toLowerCase();
      button.addEventListener("click", () => {
        this.dialog.close();
        option.act();
      });
      return element("li", {}, [button]);
    });
    return element("section", { class: "jb-options" }, [
      element("h3", {}, [title]),
      element("ul", {}, rows),
    ]);
  }

  filter() {
    const wanted = this.search.value.trim().toLowerCase().split(/\s+/);
    for (const section of this.list.children) {
      let any = false;
      for (const row of section.querySelectorAll("li")) {
        row.hidden = !wanted.every((word) => row.firstChild.dataset.words.includes(word));
        any ||= !row.hidden;
      }
      section.hidden = !any;
    }
    this.dialog.querySelector("[data-nothing]").hidden = this.open().length > 0;
  }

  /** What Enter means: the first whose name begins with what is typed, or else the first that is shown. */
  best(options) {
    const typed = this.search.value.trim().toLowerCase();
    return options.find((option) => option.querySelector("strong").textContent.toLowerCase().startsWith(typed)) ?? options[0];
  }

  open() {
    return [...this.list.querySelectorAll("li:not([hidden]) .jb-option")].filter(
      (option) => !option.closest("[hidden]"),
    );
  }

  keys(event) {
    const options = this.open();
    if (event.key === "Enter" && event.target === this.search) {
      event.preventDefault();
      this.best(options)?.click();
    }
    if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
    event.preventDefault();
    const at = options.indexOf(document.activeElement);
    const next = at + (event.key === "ArrowDown" ? 1 : -1);
    if (next < 0) this.search.focus();
    else options[Math.min(next, options.length - 1)]?.focus();
  }
}
