/* Templates: chosen by what they look like, made and edited beside the map. */

import { element, get, post } from "./dom.js";

/** Show a template's subject and mail in a box; what the server knows of it, or null. */
export async function showMail(box, urls, slug) {
  const asked = (box.asked = Symbol(slug));
  const frame = box.querySelector("[data-frame]");
  if (!slug) {
    box.querySelector("[data-subject]").textContent = "";
    frame.replaceChildren();
    return null;
  }
  const query = `?template=${encodeURIComponent(slug)}`;
  const response = await get(`${urls.preview}${query}`);
  if (!response.ok || box.asked !== asked) return null;
  const found = await response.json();
  if (box.asked !== asked || found.subject === undefined) return null;
  box.querySelector("[data-subject]").textContent = found.subject || "(no subject)";
  // A frame that is new leaves no entry behind in the browser's history.
  const title = `How “${found.name}” looks`;
  frame.replaceChildren(element("iframe", { src: `${urls.mail}${query}`, sandbox: "", title, tabindex: "-1" }));
  return found;
}

export class Mails {
  constructor(root, urls) {
    this.urls = urls;
    this.picker = root.querySelector("[data-mails]");
    this.search = this.picker.querySelector("[data-search]");
    this.options = this.picker.querySelector("[data-options]");
    this.writer = root.querySelector("[data-write-template]");
    this.form = this.writer.querySelector("form");
    this.unsaved = this.writer.querySelector("[data-unsaved]");
    this.search.addEventListener("input", () => this.filter());
    this.picker.addEventListener("keydown", (event) => this.keys(event));
    this.picker.querySelector("[data-close]").addEventListener("click", () => this.picker.close());
    this.picker.addEventListener("click", (event) => {
      if (event.target === this.picker) this.picker.close();
    });
    this.picker.querySelector("[data-new]")?.addEventListener("click", () => {
      this.picker.close();
      this.write(null, this.act);
    });
    this.writer.querySelector("[data-dismiss]").addEventListener("click", () => this.writer.close());
    this.writer.addEventListener("cancel", (event) => this.keep(event));
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.save();
    });
  }

  /** Let one of `templates` be chosen: `{slug, name, subject}` each; `act` gets the chosen one. */
  pick(templates, chosen, act) {
    this.act = act;
    this.options.replaceChildren(...templates.map((one) => this.option(one, one.slug === chosen)));
    this.search.value = "";
    this.filter();
    this.picker.showModal();
    const current = this.options.querySelector("[aria-current]");
    current?.scrollIntoView({ block: "nearest" });
    this.show(current ?? this.shown()[0]);
    this.search.focus();
  }

  option(template, current) {
    const button = element("button", { type: "button", class: "jb-option", "aria-current": current }, [
      element("span", { class: "jb-option-text" }, [
        element("strong", {}, [template.name]),
        element("span", {}, [template.subject]),
      ]),
    ]);
    button.dataset.slug = template.slug;
    button.dataset.words = `${template.name} ${template.subject} ${template.slug}`.toLowerCase();
    button.addEventListener("focus", () => this.show(button));
    button.addEventListener("pointerenter", (event) => event.pointerType === "mouse" && this.show(button));
    button.addEventListener("click", () => {
      this.picker.close();
      this.act(template);
    });
    return element("li", {}, [button]);
  }

  show(button) {
    const slug = button?.dataset.slug ?? "";
    for (const one of this.options.querySelectorAll(".jb-option")) one.classList.toggle("jb-looked-at", one === button);
    if (slug === this.looked) return;
    this.looked = slug;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => showMail(this.picker.querySelector("[data-preview]"), this.urls, slug), 120);
  }

  shown() {
    return [...this.options.querySelectorAll("li:not([hidden]) .jb-option")];
  }

  filter() {
    const wanted = this.search.value.trim().toLowerCase().split(/\s+/);
    for (const row of this.options.children) {
      row.hidden = !wanted.every((word) => row.firstChild.dataset.words.includes(word));
    }
    const shown = this.shown();
    this.picker.querySelector("[data-nothing]").hidden = shown.length > 0;
    this.looked = null;
    if (this.picker.open) this.show(shown[0]);
  }

  keys(event) {
    const shown = this.shown();
    if (event.key === "Enter" && event.target === this.search) {
      event.preventDefault();
      shown[0]?.click();
    }
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const next = shown.indexOf(document.activeElement) + step;
    if (next < 0) this.search.focus();
    else shown[Math.min(next, shown.length - 1)]?.focus();
  }

  // --- making and editing ---

  /** Ask for a new template, or change the one that `found` describes; `act` gets what was saved. */
  write(found, act) {
    const { form, writer } = this;
    this.done = act;
    form.reset();
    for (const line of form.querySelectorAll("[data-problem-of]")) line.hidden = true;
    const { slug = "", name = "", subject = "", body = "", format = "Markdown" } = found ?? {};
    for (const [field, value] of Object.entries({ slug, name, subject, body })) form.elements[field].value = value;
    writer.querySelector("[data-title]").textContent = found ? `Edit “${name}”` : "New template";
    writer.querySelector("[data-format]").textContent = format;
    writer.querySelector("[data-submit]").textContent = found ? "Save it" : "Make it";
    writer.querySelector("[data-changing]").hidden = !found;
    if (found) writer.querySelector("[data-full]").href = found.edit;
    this.opened = this.written();
    this.unsaved.hidden = true;
    writer.showModal();
    (found ? form.elements.body : form.elements.name).focus();
  }

  written() {
    return JSON.stringify([...new FormData(this.form)]);
  }

  /** Escape throws nothing away that was written, unless it is pressed once more. */
  keep(event) {
    if (!this.unsaved.hidden || this.written() === this.opened) return;
    event.preventDefault();
    this.unsaved.hidden = false;
  }

  async save() {
    const { form } = this;
    const sent = Object.fromEntries(new FormData(form));
    let response;
    let answer;
    try {
      response = await post(this.urls.template, sent);
      answer = await response.json();
    } catch {
      answer = { problems: { body: "It could not be saved. You may be signed out; nothing is lost as long as this is open." } };
    }
    for (const line of form.querySelectorAll("[data-problem-of]")) {
      const said = answer.problems?.[line.dataset.problemOf];
      line.hidden = !said;
      line.textContent = said ?? "";
    }
    if (!response?.ok) return;
    this.writer.close();
    this.done(answer);
  }
}
