/* The panel beside the map: the form of one card, read again with each key that is typed. */

import { element, get, post, sentence } from "./dom.js";
import { entryParts, misnamed, namesOf, nodeConfig, renamedOutcomes, rows } from "./form.js";
import { ENTRY } from "./draft.js";
import { showMail } from "./mails.js";

export class Panel {
  constructor(root, builder) {
    this.root = root;
    this.builder = builder;
    this.key = null;
    root.addEventListener("input", (event) => this.typed(event));
    root.addEventListener("change", (event) => this.changed(event));
    root.addEventListener("click", (event) => this.clicked(event));
    root.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || event.defaultPrevented) return;
      event.stopPropagation();
      this.close(true);
    });
  }

  /** Show the panel of a card. */
  async open(key, { focus = true } = {}) {
    const { builder } = this;
    const asked = (this.asked = Symbol(key));
    const html = await this.ask(key, () => this.open(key, { focus }));
    if (this.asked !== asked || html === null) return;
    if (!html) return this.close();
    this.key = key;
    this.root.innerHTML = html;
    this.root.hidden = false;
    builder.root.classList.add("jb-with-panel");
    this.wire();
    this.mark();
    this.problems();
    if (focus) this.first()?.focus();
  }

  /** The panel of a card as the server has it now; null where it can't be had, which is said. */
  async ask(key, again) {
    const { builder } = this;
    try {
      const response = await post(builder.urls.panel, { draft: builder.draft, key });
      if (response.ok) return await response.text();
      builder.fail(response.status, again);
    } catch {
      builder.fail(0, again);
    }
    return null;
  }

  /** Show where the card leads as the map has it: outcomes come, go and lead elsewhere. */
  async ways() {
    const { builder, key } = this;
    const part = () => this.root.querySelector("[data-ways]");
    const card = builder.cards[key];
    // Of several answers the one that was asked for last counts, or none where all is as it was.
    const asked = (this.askedWays = Symbol(key));
    if (!part() || !card || part().dataset.ways === JSON.stringify(card.ways)) return;
    const html = await this.ask(key, () => this.ways());
    const old = part();
    if (html === null || this.askedWays !== asked || this.key !== key || !old) return;
    const fresh = element("template");
    fresh.innerHTML = html;
    const focused = old.contains(document.activeElement) ? document.activeElement.id : "";
    old.replaceWith(fresh.content.querySelector("[data-ways]") ?? "");
    if (focused) document.getElementById(focused)?.focus();
  }

  first() {
    const fields = this.root.querySelectorAll(".jb-panel-body input, .jb-panel-body select, .jb-panel-body textarea, .jb-pick-mail");
    const shown = [...fields].filter((field) => field.offsetParent && !field.disabled && field.type !== "radio");
    return this.key === ENTRY || !shown.length ? this.root.querySelector("h2") : shown[0];
  }

  close(focus = false) {
    const { key } = this;
    this.asked = null;
    this.key = null;
    this.root.hidden = true;
    this.root.replaceChildren();
    this.builder.root.classList.remove("jb-with-panel");
    this.mark();
    if (focus && key) this.builder.focusCard(key);
  }

  /** Mark the card whose panel is open. */
  mark() {
    for (const card of this.builder.root.querySelectorAll(".jb-card")) {
      card.classList.toggle("jb-chosen", card.dataset.key === this.key);
      card.toggleAttribute("aria-current", card.dataset.key === this.key);
    }
  }

  wire() {
    for (const pick of this.root.querySelectorAll('[data-catalog="templates"]')) this.preview(pick);
    for (const row of this.root.querySelectorAll("[data-row]")) this.fitRow(row);
    this.shares();
    this.properties();
    this.builder.mountConditions(this.root);
    for (const field of this.root.querySelectorAll('[data-widget="event"]')) {
      this.builder.mountWhere(field, this.key === ENTRY);
    }
  }

  // --- what is typed ---

  typed(event) {
    if (event.target.id === "jb-key" || event.target.closest("[data-outcome]")) return;
    if (event.target.name === "jb-way" || event.target.name === "jb-trigger") this.choose(event.target);
    this.shares();
    this.read(event.target.matches("input:not([type=radio], [type=checkbox]), textarea") ? "typing" : "");
  }

  changed(event) {
    const { target } = event;
    if (target.matches("[data-outcome]")) {
      const changes = { [target.dataset.outcome]: target.value || null };
      this.builder.lead(this.key, changes);
    } else if (target.id === "jb-key") {
      this.rename(target);
    } else if (target.matches('[data-part="type"]')) {
      this.fitRow(target.closest("[data-row]"));
      this.read();
    } else if (target.matches('[data-part="event"]')) {
      this.properties();
      this.builder.mountWhere(target.closest("[data-widget]"), this.key === ENTRY);
    }
    this.reveal();
  }

  reveal() {
    const { root } = this;
    for (const body of root.querySelectorAll("[data-shown-by]")) {
      body.hidden = !root.querySelector(`#${body.dataset.shownBy}`).checked;
    }
    const goal = root.querySelector("#jb-goal");
    for (const body of root.querySelectorAll("[data-goal]")) body.hidden = body.dataset.goal !== goal.value;
    const pause = root.querySelector("#jb-pause");
    if (pause) pause.hidden = root.querySelector("#jb-reentry").value !== "after";
  }

  choose(radio) {
    for (const way of this.root.querySelectorAll(".jb-way")) {
      const own = way.querySelector(`input[name="${radio.name}"]`);
      const body = way.querySelector(".jb-way-body");
      if (own && body) body.hidden = !own.checked;
    }
  }

  /** Read the whole form into the draft. */
  read(kind = "", gone = null) {
    const { builder, key, root } = this;
    if (!builder.editable || key === null) return;
    this.reveal();
    if (key === ENTRY) builder.setEntry(entryParts(root), kind);
    else {
      const renamed = renamedOutcomes(root);
      this.follow(renamed);
      builder.configure(key, nodeConfig(root), { renamed, gone, kind });
    }
    this.problems();
  }

  /** What is chosen below for an outcome goes by its new name from now on. */
  follow(renamed) {
    for (const select of this.root.querySelectorAll("[data-outcome]")) {
      const old = select.dataset.outcome;
      if (Object.hasOwn(renamed, old)) select.dataset.outcome = renamed[old];
    }
    this.builder.follow(this.key, renamed);
  }

  rename(input) {
    const wish = input.value.trim();
    const { builder, key } = this;
    if (wish === key) return;
    if (!/^[A-Za-z0-9_-]+$/.test(wish) || builder.draft.nodes[wish]) {
      input.setCustomValidity(
        builder.draft.nodes[wish] ? `There is a step “${wish}” already.` : "Use letters, digits, _ and -.",
      );
      input.reportValidity();
      return;
    }
    input.setCustomValidity("");
    this.key = wish;
    builder.rename(key, wish);
  }

  // --- what is clicked ---

  clicked(event) {
    const button = event.target.closest("button");
    if (!button) return;
    const { builder, key } = this;
    const actions = {
      delete: () => builder.askRemove(key),
      "delete-branch": () => builder.removeBranch(key),
      copy: () => builder.clip(key, false),
      "copy-branch": () => builder.clip(key, true),
      move: () => builder.carry(key),
      "pick-template": () => this.pickTemplate(button.closest(".jb-pick")),
      "new-template": () => this.writeTemplate(button.closest(".jb-pick"), null),
      "edit-template": () => this.editTemplate(button.closest(".jb-pick")),
    };
    if (button.matches("[data-close]")) this.close(true);
    else if (button.dataset.action in actions) actions[button.dataset.action]();
    else if (button.dataset.add) this.addRow(button);
    else if (button.matches("[data-remove]")) this.removeRow(button);
    else if (button.matches("[data-up]")) this.moveUp(button);
  }

  addRow(button) {
    const list = button.closest("[data-widget], [data-place]").querySelector(`[data-rows="${button.dataset.add}"]`);
    const template = list.querySelector(":scope > template");
    const row = template.content.firstElementChild.cloneNode(true);
    for (const one of row.querySelectorAll("[id]")) one.id = `${one.id}-${Date.now()}`;
    list.insertBefore(row, template);
    this.fitRow(row);
    this.builder.mountConditions(row);
    row.querySelector("input")?.focus();
    this.shares();
    if (row.querySelector('[data-part="weight"]')) this.nameVariant(row);
  }

  nameVariant(row) {
    const typed = rows(this.root, "variants").map((one) => one.querySelector('[data-part="name"]').value);
    const taken = [...typed, ...namesOf(this.root, "variants")];
    const name = [..."abcdefghijklmnopqrstuvwxyz"].find((letter) => !taken.includes(letter)) ?? "";
    row.querySelector('[data-part="name"]').value = name;
    row.dataset.old = name;
    this.read();
    this.shares();
  }

  removeRow(button) {
    const row = button.closest("[data-row]");
    const next = row.nextElementSibling?.querySelector?.("input") ?? row.parentElement.parentElement.querySelector("[data-add]");
    row.remove();
    next?.focus();
    this.shares();
    this.read("", row.dataset.old || null);
  }

  moveUp(button) {
    const row = button.closest("[data-row]");
    const above = row.previousElementSibling;
    if (above?.matches("[data-row]")) above.before(row);
    button.focus();
    this.read();
  }

  // --- what it shows beside ---

  /** No value beside what removes an attribute. */
  fitRow(row) {
    const type = row.querySelector('[data-part="type"]');
    if (type) row.querySelector('[data-part="value"]').hidden = type.value === "remove";
  }

  shares() {
    const list = rows(this.root, "variants");
    const weights = list.map((row) => Number(row.querySelector('[data-part="weight"]').value) || 0);
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    list.forEach((row, number) => {
      const share = total ? Math.round((1000 * weights[number]) / total) / 10 : 0;
      row.querySelector("[data-share]").textContent = `${share} %`;
    });
  }

  /** Offer the properties that the event was really seen with. */
  properties() {
    const { names } = this.builder;
    const fill = (id, event) => {
      const options = (names.events[event] ?? []).map((name) => element("option", { value: name }));
      document.getElementById(id)?.replaceChildren(...options);
    };
    fill("jb-properties", this.root.querySelector('[data-part="event"]')?.value ?? "");
  }

  // --- templates ---

  pickTemplate(pick) {
    const options = [...pick.querySelectorAll("select option")].filter((one) => one.dataset.subject !== undefined);
    const templates = options.map((one) => ({ slug: one.value, name: one.text, subject: one.dataset.subject }));
    const { value } = pick.querySelector("select");
    this.builder.mails.pick(templates, value, (chosen) => this.setTemplate(pick, chosen));
  }

  writeTemplate(pick, found) {
    this.builder.mails.write(found, (saved) => this.setTemplate(pick, saved));
  }

  async editTemplate(pick) {
    const slug = pick.querySelector("select").value;
    const response = await get(`${this.builder.urls.preview}?template=${encodeURIComponent(slug)}`);
    const found = response.ok ? await response.json() : {};
    if (found.source) this.writeTemplate(pick, { slug, edit: found.edit, ...found.source });
  }

  setTemplate(pick, { slug, name, subject }) {
    const select = pick.querySelector("select");
    let option = [...select.options].find((one) => one.value === slug);
    if (!option) {
      option = element("option", { value: slug });
      select.append(option);
    }
    option.text = name;
    option.dataset.subject = subject;
    select.value = slug;
    pick.querySelector("[data-picked]").textContent = name;
    this.preview(pick);
    this.read();
    this.builder.refresh();
    pick.querySelector(".jb-pick-mail").focus();
  }

  async preview(pick) {
    const box = pick.querySelector("[data-preview]");
    const edit = pick.querySelector('[data-action="edit-template"]');
    const found = await showMail(box, this.builder.urls, pick.querySelector("select").value);
    box.hidden = !found;
    if (edit) edit.hidden = !found?.edit;
  }

  /** Show what is wrong beside the field it is wrong with. */
  problems() {
    if (this.key === null) return;
    const card = this.builder.cards[this.key];
    for (const place of this.root.querySelectorAll(".jb-problem")) {
      place.hidden = true;
      place.replaceChildren();
    }
    for (const field of this.root.querySelectorAll(".jb-invalid")) field.classList.remove("jb-invalid");
    rows(this.root, "paths").forEach((row, number) => {
      row.dataset.place = `paths[${number}]`;
    });
    for (const problem of card?.problems ?? []) {
      const field = this.fieldOf(problem.place);
      const line = field?.querySelector(":scope > .jb-problem") ?? field?.querySelector(".jb-problem") ?? this.root.querySelector("[data-problem-rest]");
      if (problem.level === "error") field?.classList.add("jb-invalid");
      line.append(element("span", { "data-level": problem.level }, [sentence(problem)]));
      line.hidden = false;
    }
    const name = this.root.querySelector("#jb-name");
    if (name && !name.value.trim()) {
      this.misname(name.parentElement, `Give the journey a name. Until then it is still called “${this.builder.draft.name ?? ""}”.`);
    }
    for (const kind of ["paths", "variants"]) {
      for (const [row, words] of misnamed(this.root, kind)) this.misname(row, words);
    }
  }

  /** Say of a row that what is typed can't be its name. */
  misname(row, words) {
    const line = row.querySelector(":scope > .jb-problem") ?? row.closest("[data-place]").querySelector(":scope > .jb-problem");
    row.classList.add("jb-invalid");
    line.append(element("span", { "data-level": "error" }, [words]));
    line.hidden = false;
  }

  fieldOf(place) {
    const own = this.key === ENTRY ? place : place.replace(`nodes.${this.key}`, "").replace(/^\./, "");
    let best = null;
    let length = 0;
    for (const field of this.root.querySelectorAll("[data-place]")) {
      const { place: at } = field.dataset;
      const inner = own === at || own.startsWith(`${at}.`) || own.startsWith(`${at}[`);
      if (inner && at.length > length && field.offsetParent) [best, length] = [field, at.length];
    }
    return best;
  }

  /** Whether the panel still shows what the draft says, so that undo need not open it anew. */
  agrees() {
    if (this.key === null || this.key === ENTRY) return this.key === null;
    const { kind, next, ...config } = this.builder.draft.nodes[this.key] ?? {};
    return JSON.stringify(nodeConfig(this.root)) === JSON.stringify(config);
  }
}
