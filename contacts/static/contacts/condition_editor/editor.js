// One editor: the tree of a condition, its rows, and what is known about it.

import { moveByKey } from "./actions.js";
import { Catalogue } from "./catalogue.js";
import { h, released } from "./dom.js";
import { group } from "./groups.js";
import { History } from "./history.js";
import { fromPlain, parse, plain, write } from "./json.js";
import { isWhere, whereList } from "./rows.js";
import { Summary } from "./summary.js";

const WHERE_ONLY = { empty: "Every event of that name." };

export class Editor {
  /** `options`: see docs/conditions.md. */
  constructor(element, options) {
    this.options = options;
    this.scope = options.scope ?? {};
    this.where = Boolean(options.where);
    this.catalogue = new Catalogue(options.endpoints, this.scope);
    this.text = options.text ?? (options.value === undefined || options.value === null ? "" : write(fromPlain(options.value)));
    this.fresh = new WeakSet();
    this.history = new History();
    this.noted = [];
    this.seen = {};
    this.asJson = false;
    this.changed = this.changed.bind(this);
    this.rows = h("div", { class: "ce-rows" });
    const counts = !this.where && !this.scope.enrollment && options.count !== false;
    this.summary = new Summary(this, { empty: options.empty || (this.where ? WHERE_ONLY.empty : ""), counts });
    this.frame = h("fieldset", { class: `ce ${this.where ? "ce-only-where" : ""}`, "aria-label": options.label ?? "Condition" }, h("div", { class: "ce-grid" }, this.rows, this.summary.element));
    this.frame.disabled = Boolean(options.readOnly);
    this.frame.addEventListener("keydown", (event) => {
      // Enter in a field must not send the form around the editor.
      if (event.key === "Enter" && event.target.matches("input")) event.preventDefault();
    });
    // Before the fields, which know some of these keys too.
    this.frame.addEventListener("keydown", (event) => moveByKey(event, this), true);
    this.frame.addEventListener("keydown", (event) => this.travelByKey(event));
    this.frame.addEventListener("focusout", (event) => this.left(event));
    element.append(this.frame);
    this.ready = this.start();
  }

  async start() {
    this.read();
    try {
      await this.catalogue.load();
      await Promise.all([...events(this.value), this.options.event].filter(Boolean).map((name) => this.see(name)));
    } catch {
      // Without suggestions all that stands there can still be seen and edited.
    }
    this.draw();
    this.summary.refresh(0);
  }

  read() {
    try {
      this.value = this.text.trim() ? parse(this.text) : undefined;
      if (this.where && this.value !== undefined && !isWhere(this.value)) this.asJson = true;
    } catch {
      this.value = undefined;
      this.asJson = true;
    }
  }

  // --- what rows ask -----------------------------------------------------------------------------

  allows(form) {
    return !this.options.forms || this.options.forms.includes(form);
  }

  /** The properties seen in an event, as far as they are loaded. */
  properties(event) {
    if (!event) return {};
    if (!this.seen[event]) this.see(event);
    return this.seen[event] ?? {};
  }

  async see(event) {
    this.seen[event] = await this.catalogue.properties(event);
  }

  /** Whether a term follows the starting event though the scope has none. */
  usesTrigger(term) {
    const value = term.get("value");
    return value instanceof Map && value.size === 1 && value.has("trigger");
  }

  /** Remember which element shows which place. */
  note(element, slot, node) {
    this.noted.push({ element, place: slot.place, node });
  }

  // --- the value ---------------------------------------------------------------------------------

  changed() {
    this.store(this.value === undefined ? "" : write(this.value));
  }

  store(text) {
    if (text !== this.text) this.history.note(this.text);
    this.text = text;
    this.summary.showHistory(this.history);
    this.options.onChange?.(this.plain(), text);
    this.summary.refresh();
  }

  /** Go back to what it was before, or "forth" again. */
  travel(way) {
    const text = this.history[way](this.text);
    if (text === undefined) return;
    this.text = text;
    this.read();
    this.options.onChange?.(this.plain(), text);
    this.draw();
    this.summary.showHistory(this.history);
    this.summary.refresh(0);
  }

  /** In a field with text, the keys mean what was typed there. */
  travelByKey(event) {
    const undo = (event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "z";
    if (!undo || event.target.matches("input:not([type=checkbox]), textarea")) return;
    event.preventDefault();
    event.stopPropagation(); // the page around it may undo by the same keys
    this.travel(event.shiftKey ? "forth" : "back");
    if (!this.frame.contains(document.activeElement)) focusOf(this.rows, "subject")?.focus();
  }

  /** The condition as plain JavaScript; undefined where there is none or it is not JSON. */
  plain() {
    return this.value === undefined ? undefined : plain(this.value);
  }

  /** Show another condition, without telling `onChange`. */
  set({ value, text }) {
    this.text = text ?? (value === undefined || value === null ? "" : write(fromPlain(value)));
    this.ready = this.start();
  }

  question() {
    const { enrollment, trigger, nodes, segment } = this.scope;
    const scope = { enrollment, trigger, nodes, segment };
    return { value: this.text, where: this.where, scope };
  }

  // --- drawing -----------------------------------------------------------------------------------

  /** Draw all rows anew, and put the focus on a part of the row of `node`. */
  redraw(node, part) {
    this.draw();
    const found = this.noted.find((each) => each.node === node)?.element;
    const target = found ? focusOf(found, part) : this.rows.querySelector(".ce-foot .ce-add, .ce-add-where");
    target?.focus();
  }

  draw() {
    this.noted = [];
    this.rows.replaceChildren(this.asJson ? this.jsonArea() : this.where ? this.terms() : this.tree());
    this.summary.showToggle(this.asJson);
    for (const { element, place } of this.noted) element.setAttribute("aria-label", name(place()));
    this.showProblems(this.problems ?? []);
  }

  tree() {
    const slot = {
      get: () => this.value,
      set: (value) => {
        this.value = value;
      },
      place: () => "",
      remove: () => {
        this.value = undefined;
        this.changed();
        this.redraw(null);
      },
    };
    return group(slot, this, true);
  }

  terms() {
    const list = this.value ?? [];
    return whereList({
      list,
      event: this.options.event,
      editor: this,
      place: () => "",
      add: () => (this.value = list),
      removed: () => {
        if (!list.length) this.value = undefined;
      },
    });
  }

  // --- as JSON -----------------------------------------------------------------------------------

  jsonArea() {
    const message = h("p", { class: "ce-problem ce-error", role: "alert" });
    const area = h("textarea", {
      class: "ce-input ce-json ce-whole",
      rows: 12,
      spellcheck: "false",
      "aria-label": `${this.options.label ?? "Condition"}, as JSON`,
      oninput: () => {
        try {
          this.value = area.value.trim() ? parse(area.value) : undefined;
          message.textContent = "";
        } catch (error) {
          this.value = undefined;
          message.textContent = error.message;
        }
        this.store(area.value.trim() ? area.value : "");
      },
    });
    area.value = pretty(this.text);
    return h("div", { class: "ce-as-json" }, area, message);
  }

  toggle() {
    if (this.asJson) {
      try {
        this.value = this.text.trim() ? parse(this.text) : undefined;
      } catch {
        this.rows.querySelector("textarea")?.focus();
        return;
      }
      if (this.where && this.value !== undefined && !isWhere(this.value)) return;
    }
    this.asJson = !this.asJson;
    this.draw();
  }

  // --- problems ----------------------------------------------------------------------------------

  /** Show each problem at its row; return those that belong to none. */
  showProblems(problems) {
    this.problems = problems;
    this.frame.querySelectorAll(".ce-rows .ce-said").forEach((element) => element.remove());
    this.frame.querySelectorAll(".ce-rows [aria-invalid]").forEach((element) => {
      element.removeAttribute("aria-invalid");
      element.removeAttribute("aria-describedby");
    });
    for (const { element } of this.noted) element.classList.remove("ce-wrong");
    return problems.filter((problem) => !this.showProblem(problem));
  }

  showProblem(problem) {
    const holds = ({ place }) => {
      const at = place();
      return problem.place === at || problem.place.startsWith(`${at}.`) || problem.place.startsWith(`${at}[`) || at === "";
    };
    const depth = ({ place }) => place().length;
    const found = this.noted.filter(holds).sort((a, b) => depth(b) - depth(a))[0];
    if (!found) return false;
    const { element, place, node } = found;
    const rest = problem.place.slice(place().length).replace(/^\./, "").replace(/^not\./, "");
    const control = controlOf(element, rest);
    const quiet = this.fresh.has(node);
    // Who writes it as the file does needs the file's own words.
    const written = element.querySelector(":scope > .ce-main textarea");
    const hint = written ? `${problem.message} ${problem.hint}`.trim() : this.said(problem, node);
    const level = quiet ? "ce-quiet" : `ce-${problem.level}`;
    const id = `ce-said-${(Editor.said = (Editor.said ?? 0) + 1)}`;
    element.querySelector(".ce-main, .ce-parts").append(h("p", { class: `ce-problem ce-said ${level}`, id }, quiet ? "Not complete yet." : hint));
    if (!quiet && problem.level === "error") {
      element.classList.add("ce-wrong");
      control?.setAttribute("aria-invalid", "true");
    }
    control?.setAttribute("aria-describedby", id);
    return true;
  }

  /** A problem in the words of the editor: the file's names of operators are not shown here. */
  said({ place, message, hint }, node) {
    if (node instanceof Map && node.size === 0) return "Choose what this row is about.";
    if (/ needs a value\.$/.test(message)) return "Give a value.";
    if (/^Give the name of an? \w+ as text\.$/.test(message)) return message.replace("Give the name of", "Choose").replace(" as text", "");
    if (/within$/.test(place) || /is not a duration/.test(message)) return "Give a time, such as 30 days.";
    const label = (name) => this.catalogue.operator(name)?.label;
    const words = (text) => text.replace(/“(\w+)”/g, (all, name) => (label(name) ? `“${label(name)}”` : all)).replace(/\bis_(not_)?set\b/g, (name) => `“${label(name) ?? name}”`);
    return words(`${message} ${hint}`.trim());
  }

  /** A new row that somebody leaves is no longer new: what is missing is said. */
  left(event) {
    for (const { element, node } of this.noted) {
      if (!this.fresh.has(node) || !element.contains(event.target) || element.contains(event.relatedTarget)) continue;
      if (!event.relatedTarget) continue;
      this.fresh.delete(node);
      released().then(() => this.showProblems(this.problems ?? []));
    }
  }
}

/** What is to be filled in after one has said what a row is about. */
const NEXT = ['[data-part="value"]', "[data-pick]", '[data-part="count.op"]', '[data-part="op"]'];

/** Where a person should go on in a row. */
function focusOf(element, part) {
  const own = (selector) => element.querySelector(selector);
  if (part === "next") return NEXT.map(own).find(Boolean);
  return own(`[data-part="${part}"]:not(:disabled)`) ?? own('[data-part="subject"], [data-part="op"], select, input, button');
}

/** The field that a place within a row means. */
function controlOf(element, rest) {
  const key = rest.split(/[.[]/)[0];
  const parts = { attribute: "subject", event: "subject", property: "subject", "": "subject", count: rest, within: "within" };
  const named = element.querySelector(`[data-part="${CSS.escape(parts[key] ?? key)}"]`);
  return named ?? element.querySelector(`[data-part="${CSS.escape(key)}.op"], [data-part="subject"]`);
}

/** `all[1].any[0]` is condition 2.1. */
function name(place) {
  const numbers = [...place.matchAll(/\[(\d+)\]/g)].map((match) => Number(match[1]) + 1);
  return numbers.length ? `Condition ${numbers.join(".")}` : "Condition";
}

function pretty(text) {
  try {
    return text.trim() ? write(parse(text), 2) : "";
  } catch {
    return text;
  }
}

/** The events named anywhere in a tree. */
function events(value) {
  if (Array.isArray(value)) return value.flatMap(events);
  if (!(value instanceof Map)) return [];
  const own = typeof value.get("event") === "string" ? [value.get("event")] : [];
  return [...own, ...[...value.values()].flatMap(events)];
}
