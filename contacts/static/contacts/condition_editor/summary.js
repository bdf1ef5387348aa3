// Beside the rows: the condition in words, what is wrong with it as a whole, and how many match.

import { button, h, icon, released } from "./dom.js";

const PAUSE = 350;
const UNANSWERED = "The server does not answer. Your changes are kept here.";

export class Summary {
  constructor(editor, { empty, counts }) {
    this.editor = editor;
    this.empty = empty;
    this.counts = counts;
    this.words = h("p", { class: "ce-words" });
    this.count = h("p", { class: "ce-count" });
    this.problems = h("div", { class: "ce-problems" });
    this.toggle = button({ class: "ce-toggle", onclick: () => editor.toggle() }, icon("code"), "Edit as JSON");
    this.undo = this.traveller("back", "Undo", "undo");
    this.redo = this.traveller("forth", "Redo", "redo");
    const tools = h("div", { class: "ce-tools" }, this.toggle, h("span", { class: "ce-actions" }, this.undo, this.redo));
    const live = h("div", { class: "ce-live", role: "status" }, this.words, this.count);
    this.element = h("div", { class: "ce-summary" }, h("p", { class: "ce-title" }, "In words"), live, this.problems, tools);
  }

  showToggle(asJson) {
    this.toggle.replaceChildren(icon(asJson ? "list" : "code"), asJson ? "Edit in rows" : "Edit as JSON");
  }

  traveller(way, label, symbol) {
    const act = () => {
      this.editor.travel(way);
      // A button that cannot be pressed any more loses the focus.
      if (document.activeElement === document.body) (this.undo.disabled ? this.redo : this.undo).focus();
    };
    return button({ class: "ce-action", "aria-label": label, title: label, disabled: true, onclick: act }, icon(symbol));
  }

  /** Whether there is anything to go back to, or forth. */
  showHistory({ past, future }) {
    this.undo.disabled = !past.length;
    this.redo.disabled = !future.length;
  }

  /** Ask again, after a pause in which nothing changes. */
  refresh(pause = PAUSE) {
    clearTimeout(this.timer);
    this.asking?.abort();
    this.element.classList.add("ce-waiting");
    this.timer = setTimeout(() => this.ask(), pause);
  }

  async ask() {
    const asking = (this.asking = new AbortController());
    const body = this.editor.question();
    if (!body.value) return this.nothing();
    try {
      const answer = await this.editor.catalogue.question("check", body, asking.signal);
      await released();
      if (asking.signal.aborted) return undefined;
      this.show(answer);
      if (answer?.words && this.counts) await this.askCount(body, asking.signal);
    } catch (error) {
      if (error.name === "AbortError" || asking.signal.aborted) return undefined;
      this.words.textContent = UNANSWERED;
      this.count.textContent = "";
    }
    // While the people were counted something was changed: that is being asked about now.
    if (asking.signal.aborted) return undefined;
    this.element.classList.remove("ce-waiting");
    return undefined;
  }

  async askCount(body, signal) {
    this.count.classList.add("ce-dim");
    try {
      const found = await this.editor.catalogue.question("count", body, signal);
      if (signal.aborted) return;
      this.count.textContent = found?.words ?? "";
    } catch (error) {
      if (signal.aborted) return;
      this.count.textContent = ""; // one may see conditions and not contacts
    }
    this.count.classList.remove("ce-dim");
  }

  nothing() {
    this.words.textContent = this.empty || "No condition yet.";
    this.count.textContent = "";
    this.problems.replaceChildren();
    this.editor.showProblems([]);
    this.element.classList.remove("ce-waiting");
  }

  show(answer) {
    if (!answer) return;
    const rest = this.editor.showProblems(answer.problems);
    const errors = answer.problems.filter((problem) => problem.level === "error");
    if (answer.words) this.words.textContent = sentence(answer.words);
    else this.words.textContent = errors.length ? "Complete the rows to see them in words." : this.empty || "Any.";
    if (!answer.words) this.count.textContent = "";
    this.problems.replaceChildren(...rest.map((problem) => h("p", { class: `ce-problem ce-${problem.level}` }, `${problem.message} ${problem.hint}`.trim())));
  }
}

/** With a capital, but where it begins with what can only be a name: those are case-sensitive. */
function sentence(words) {
  const named = /^\S*[_.\d]/.test(words);
  const shown = named ? words : words.charAt(0).toUpperCase() + words.slice(1);
  return /[.!?]$/.test(shown) ? shown : `${shown}.`;
}
