/* The builder: holds the draft, changes it by the functions of draft.js, and saves each change.

   The server has the last word on what is drawn, said and wrong; see docs/builder.md. */

import { ENTRY, clip, clipLeadsOn, configure, freshKey, insert, lead, leadsOn, lostLines, move, moveBranch, paste, remove, removeBranch, rename, successors, targets } from "./draft.js";
import { ask, debounce, element, get, post, sentence } from "./dom.js";
import { History } from "./history.js";
import { Live } from "./live.js";
import { Mails } from "./mails.js";
import { Palette } from "./palette.js";
import { Panel } from "./panel.js";
import { savePng } from "./picture.js";
import { Toolbar } from "./toolbar.js";
import { View, neighbour } from "./view.js";

const TYPING = 350;
const CLIP = "journeys.clip";
/** For so long what was copied is offered, in ms. */
const CLIP_KEPT = 24 * 3600 * 1000;
const ENDS = "It ends the journey for who comes there, so it can be put at an open end only.";
const NO_PICTURE = "The picture could not be made: the server is away, or you are signed out.";
const LOST = { 401: "You are signed out: sign in in another tab.", 403: "You may not edit this, or signed in anew meanwhile." };

/** What was copied last, in this journey or another; null where that is nothing, or long ago. */
function copied() {
  const clipped = JSON.parse(localStorage.getItem(CLIP) ?? "null");
  return clipped && Date.now() - (clipped.at ?? 0) < CLIP_KEPT ? clipped : null;
}

class Builder {
  constructor(root, state) {
    Object.assign(this, { root, urls: state.urls, names: state.names, editable: state.editable });
    Object.assign(this, { kinds: state.kinds, live: state.live });
    this.canvas = root.querySelector("[data-canvas]");
    this.world = root.querySelector("[data-world]");
    this.list = root.querySelector("[data-list]");
    this.says = root.querySelector("[data-says]");
    this.saved = root.querySelector("[data-saved]");
    this.banner = root.querySelector("[data-banner]");
    this.hint = root.querySelector("[data-hint]");
    this.dialog = root.querySelector("[data-ask]");
    this.view = new View(this.canvas);
    this.toolbar = new Toolbar(root);
    this.panel = new Panel(root.querySelector("[data-panel]"), this);
    this.palette = new Palette(root.querySelector("[data-palette]"));
    this.mails = new Mails(root, state.urls);
    this.history = new History(state.draft);
    this.saving = false;
    this.dirty = false;
    this.conflict = "";
    /** Lines that went with an outcome: they come back with it. */
    this.lost = {};
    this.carrying = null;
    this.saveSoon = debounce(TYPING, () => this.save());
    this.take(state);
    this.view.begin();
    this.listen();
    this.liveNumbers = new Live(this);
    if (this.editable && !Object.keys(this.draft.nodes ?? {}).length && !this.draft.entry?.trigger) {
      this.panel.open(ENTRY, { focus: false });
    }
    const wanted = new URLSearchParams(location.search).get("step");
    if (wanted && this.cards[wanted]) this.openCard(wanted);
    root.dataset.ready = "";
  }

  get draft() {
    return this.history.present;
  }

  // --- what the server said ---

  take(state) {
    this.revision = state.revision;
    this.cards = state.cards;
    this.boxes = state.boxes;
    this.problems = state.problems;
    this.history.settle(state.draft);
    const focused = document.activeElement?.id;
    const onMap = this.world.contains(document.activeElement);
    this.world.innerHTML = state.html.map;
    this.list.innerHTML = state.html.list;
    this.view.show(state.html.width, state.html.height, state.boxes);
    this.saved.textContent = state.saved;
    this.showName();
    this.toolbar.show(state);
    this.count(state.errors, state.warnings);
    this.rove();
    this.panel.mark();
    this.panel.ways();
    if (this.carrying) this.showCarrying();
    if (onMap && focused) (document.getElementById(focused) ?? this.stops()[0])?.focus();
    if (this.wanted) {
      const { key, open } = this.wanted;
      this.wanted = null;
      if (open) this.openCard(key);
      else this.focusCard(key);
    }
    this.liveNumbers?.show();
    this.panel.problems();
  }

  count(errors, warnings) {
    const button = this.root.querySelector("[data-problems]");
    if (!button) return;
    const parts = [];
    if (errors) parts.push(`${errors} ${errors === 1 ? "problem" : "problems"}`);
    if (warnings) parts.push(`${warnings} ${warnings === 1 ? "hint" : "hints"}`);
    button.querySelector("[data-words]").textContent = parts.join(", ") || "No problems";
    button.dataset.level = errors ? "error" : warnings ? "warning" : "fine";
    button.querySelector(".material-symbols-outlined").textContent = errors ? "error" : warnings ? "info" : "check_circle";
  }

  /** What a refresh of the numbers brought: somebody else may have saved. */
  heard({ revision, other, ...rest }) {
    if (this.saving || this.dirty || this.conflict) return;
    if (revision > this.revision) this.tellOther(other, false);
    else if (revision === this.revision) this.toolbar.show(rest);
  }

  // --- changing and saving ---

  /** Take a new draft and save it. */
  change(draft, kind = "") {
    if (!this.editable || draft === this.draft) return;
    this.history.push(draft, kind);
    this.dirty = true;
    this.buttons();
    if (kind) this.saveSoon();
    else this.saveSoon.now();
  }

  /** Ask for words and problems anew where only what the draft names has changed. */
  refresh() {
    if (!this.dirty && !this.saving && !this.conflict) this.save();
  }

  async save() {
    if (this.conflict) this.tellOther(this.conflict, true);
    if (this.saving || this.conflict) return;
    this.saving = true;
    this.dirty = false;
    this.saved.textContent = "Saving …";
    const kept = await this.hand(this.draft);
    this.saving = false;
    if (!kept) this.dirty = true;
    else if (this.dirty && !this.saveSoon.waits()) this.save();
  }

  /** Hand a draft to the server; whether it was kept there. */
  async hand(draft) {
    const { revision, instead } = this;
    this.instead = false;
    try {
      const response = await post(this.urls.save, { draft, revision, instead });
      const state = response.ok || response.status === 409 ? await response.json() : {};
      if (response.status === 409) this.tellOther(state.other, true);
      else if (!response.ok) this.fail(response.status);
      else this.kept(state, draft);
      return response.ok;
    } catch {
      this.fail(0);
      return false;
    }
  }

  /** A draft was saved; what came in meanwhile is saved next. */
  kept(state, draft) {
    if (!this.conflict) this.untell(this.banner);
    Object.assign(this.lost, lostLines(draft, state.draft, state.cards));
    if (this.draft === draft) {
      this.take(state);
      this.findAgain();
    } else this.revision = state.revision;
  }

  /** Lead outcomes that are there again where they led before. */
  findAgain() {
    for (const [key, lines] of Object.entries(this.lost)) {
      const open = new Map(this.cards[key]?.outcomes ?? []);
      const back = Object.entries(lines).filter(([outcome, to]) => open.get(outcome) === null && this.draft.nodes[to]);
      for (const outcome of open.keys()) delete lines[outcome];
      if (!back.length) continue;
      this.history.settle(lead(this.draft, this.cards, key, Object.fromEntries(back)));
      this.dirty = true;
    }
  }

  fail(status, again = () => this.save()) {
    const lost = LOST[status] ?? "The server could not be reached.";
    const mine = this.saving || this.dirty;
    if (mine) this.saved.textContent = "Not saved";
    const kept = mine ? " Your changes are kept here as long as this page is open." : "";
    // A conflict stays said.
    this.tell(this.conflict ? this.hint : this.banner, `${lost}${kept}`, [["Try again", again]]);
  }

  /** Somebody else saved: one chooses, and what is not chosen can be brought back. It stays said until
      then; `mine` is whether there is something here that they have not. */
  tellOther(words, mine) {
    this.conflict = words;
    if (mine) this.saved.textContent = "Not saved";
    const choices = [["Take over what was saved", () => this.reload()]];
    if (mine) choices.push(["Keep mine instead", () => this.overwrite()]);
    const back = mine ? " Yours can be brought back by Undo, the other from the history." : "";
    this.tell(this.banner, `${words}${back}`, choices);
  }

  /** What the server has now, or null; then it is said, with the way to try again. */
  async there(again) {
    try {
      const response = await get(this.urls.draft);
      if (response.ok) return await response.json();
      this.fail(response.status, again);
    } catch {
      this.fail(0, again);
    }
    return null;
  }

  async reload() {
    const state = await this.there(() => this.reload());
    if (!state) return;
    this.conflict = "";
    this.dirty = false;
    this.untell(this.banner);
    this.history.push(state.draft);
    this.take(state);
    this.panel.close();
    this.buttons();
  }

  async overwrite() {
    const state = await this.there(() => this.overwrite());
    if (!state) return;
    this.conflict = "";
    this.revision = state.revision;
    this.instead = true;
    this.untell(this.banner);
    this.save();
  }

  /** Say something above the map: in the banner what stays until it is settled, in the hint what passes. */
  tell(place, words, choices) {
    const buttons = choices.map(([label, act]) => {
      const button = element("button", { type: "button", class: "jb-button" }, [label]);
      button.addEventListener("click", () => {
        this.untell(place);
        act();
      });
      return button;
    });
    place.replaceChildren(element("span", {}, [words]), ...buttons);
    place.hidden = false;
  }

  untell(place) {
    place.hidden = true;
    place.replaceChildren();
  }

  say(words) {
    this.says.textContent = words;
  }

  showName() {
    const title = this.root.querySelector("span[data-name]");
    if (title && this.draft.name) title.textContent = this.draft.name;
  }

  buttons() {
    const set = (name, on) => {
      const button = this.root.querySelector(`[data-do="${name}"]`);
      if (button) button.disabled = !on;
    };
    set("undo", this.history.past.length);
    set("redo", this.history.future.length);
  }

  step(draft, words) {
    if (!draft) return;
    this.dirty = true;
    this.buttons();
    this.save();
    this.say(words);
    if (this.panel.key !== null) {
      if (this.panel.key !== ENTRY && !draft.nodes?.[this.panel.key]) this.panel.close();
      else this.panel.open(this.panel.key, { focus: false });
    }
  }

  // --- operations ---

  name(key) {
    return this.cards[key]?.words ?? key;
  }

  add(at, kind) {
    const key = freshKey(this.draft, kind.kind);
    this.wanted = { key, open: true };
    this.change(insert(this.draft, this.cards, at, key, { kind: kind.kind, ...kind.config }));
    this.say(`${kind.label} added.`);
  }

  lead(key, changes) {
    this.change(lead(this.draft, this.cards, key, changes));
  }

  configure(key, config, { renamed, gone, kind }) {
    const made = configure(this.draft, this.cards, key, config, renamed, gone);
    if (JSON.stringify(made.nodes[key]) !== JSON.stringify(this.draft.nodes[key])) {
      this.change(made, kind && `${kind} ${key}`);
    }
  }

  /** Call outcomes on the map by their new names, until it is drawn anew. */
  follow(key, renamed) {
    const called = (outcome) => (Object.hasOwn(renamed, outcome) ? renamed[outcome] : outcome);
    const card = this.cards[key];
    if (!card || !Object.keys(renamed).length) return;
    card.outcomes = card.outcomes.map(([outcome, target]) => [called(outcome), target]);
    for (const plus of this.root.querySelectorAll(`.jb-plus[data-source="${CSS.escape(key)}"], [data-plus][data-source="${CSS.escape(key)}"]`)) {
      plus.dataset.outcomes = JSON.stringify(JSON.parse(plus.dataset.outcomes).map(called));
    }
  }

  setEntry(parts, kind) {
    const made = { ...structuredClone(this.draft) };
    for (const [part, value] of Object.entries(parts)) {
      if (part === "name" && value === undefined) continue; // it keeps the one it has
      if (value === undefined) delete made[part];
      else made[part] = value;
    }
    if (JSON.stringify(made) !== JSON.stringify(this.draft)) this.change(made, kind && `${kind} start`);
    this.showName();
  }

  rename(old, key) {
    this.change(rename(this.draft, old, key));
  }

  askRemove(key) {
    if (!this.draft.nodes?.[key]) return;
    const next = successors(this.draft, this.cards, key);
    if (next.length < 2) return this.remove(key, next[0] ?? null);
    const ways = next.map((target) => ({
      label: `Go on with “${this.name(target)}”`,
      act: () => this.remove(key, target),
    }));
    ask(this.dialog, `Delete “${this.name(key)}”`, "It leads to several steps. Where do people go who come here?", [
      ...ways,
      { label: "Nowhere: leave the ends open", act: () => this.remove(key, null) },
      { label: "Delete all from here on", danger: true, act: () => this.removeBranch(key) },
      { label: "Cancel" },
    ]);
  }

  /** Whoever stands at a step that is deleted stays there until the draft is published. */
  tellOfPeople(keys) {
    const count = keys.reduce((sum, key) => sum + (this.liveNumbers?.numbers?.nodes[key]?.waiting ?? 0), 0);
    if (!count) return;
    const who = count === 1 ? "1 person stands" : `${count.toLocaleString("en")} people stand`;
    this.tell(this.hint, `${who} at what you deleted. They stay there for now: when you publish, you choose what becomes of them.`, [
      ["Fine", () => {}],
    ]);
  }

  remove(key, instead) {
    this.tellOfPeople([key]);
    this.say(`“${this.name(key)}” deleted.`);
    this.panel.close();
    this.wanted = { key: instead ?? ENTRY };
    this.change(remove(this.draft, this.cards, key, instead));
  }

  removeBranch(key) {
    this.say(`Deleted from “${this.name(key)}” on.`);
    this.panel.close();
    this.wanted = { key: ENTRY };
    const made = removeBranch(this.draft, this.cards, key);
    this.tellOfPeople(Object.keys(this.draft.nodes).filter((one) => !made.nodes[one]));
    this.change(made);
  }

  clip(key, whole) {
    localStorage.setItem(CLIP, JSON.stringify({ ...clip(this.draft, this.cards, key, whole), at: Date.now() }));
    this.say(`“${this.name(key)}” copied. Choose a plus to paste it.`);
    this.tell(this.hint, "Copied. Press a plus on the map, here or in another journey, to paste it.", [["Fine", () => {}]]);
  }

  paste(at) {
    const clipped = copied();
    if (at.target && !clipLeadsOn(clipped)) return this.refuse(ENDS);
    this.untell(this.hint);
    const { draft, key } = paste(this.draft, this.cards, at, clipped);
    this.wanted = { key, open: true };
    this.change(draft);
    this.say("Pasted.");
  }

  /** Choose a new place for a step: each plus becomes a place to put it. */
  carry(key) {
    this.carrying = key;
    this.panel.close();
    this.showCarrying();
    this.tell(this.hint, `Choose where “${this.name(key)}” goes: press a plus. Escape leaves it where it is.`, [
      ["Leave it", () => this.drop(null)],
    ]);
    this.focusCard(key);
  }

  showCarrying() {
    this.root.classList.toggle("jb-carrying", this.carrying !== null);
  }

  drop(at) {
    const key = this.carrying;
    this.carrying = null;
    this.showCarrying();
    this.untell(this.hint);
    if (!at || !key) return;
    const single = successors(this.draft, this.cards, key).length < 2;
    if (!single && at.target) {
      return this.refuse("A step that leads several ways can be moved to an open end only.");
    }
    if (at.target && !leadsOn(this.draft, this.cards, key)) return this.refuse(ENDS);
    const made = (single ? move : moveBranch)(this.draft, this.cards, key, at);
    if (made === this.draft) return this.refuse("It can't go there: the place is its own, or part of what would be moved.");
    this.wanted = { key };
    this.change(made);
  }

  /** Say why something can't go there. */
  refuse(words) {
    this.tell(this.hint, words, [["Fine", () => {}]]);
  }

  // --- the palette ---

  placeOf(button) {
    return {
      source: button.dataset.source,
      outcomes: JSON.parse(button.dataset.outcomes),
      target: button.dataset.target || null,
    };
  }

  offer(button) {
    const at = this.placeOf(button);
    if (this.carrying) return this.drop(at);
    const fresh = this.kinds
      .filter((kind) => !(kind.ends && at.target))
      .map((kind) => ({ ...kind, act: () => this.add(at, kind) }));
    const there = Object.entries(this.cards)
      .filter(([key]) => key !== ENTRY && key !== at.target)
      .map(([key, card]) => ({
        icon: card.icon,
        kind: card.kind,
        label: card.words,
        description: card.subtitle,
        act: () => {
          this.wanted = { key };
          this.lead(at.source, Object.fromEntries(at.outcomes.map((outcome) => [outcome, key])));
        },
      }));
    const clipped = copied();
    const kept = clipped && !(at.target && !clipLeadsOn(clipped)) ? [this.pasteOption(at, clipped)] : [];
    const loosen = at.target
      ? [
          {
            icon: "link_off",
            kind: "",
            label: "End here",
            description: "Take this line away.",
            act: () => this.lead(at.source, Object.fromEntries(at.outcomes.map((outcome) => [outcome, null]))),
          },
        ]
      : [];
    this.palette.ask(button.getAttribute("aria-label"), [
      { title: "Copied", options: kept },
      { title: "New step", options: fresh },
      { title: "Lead to a step that is there", options: there },
      { title: "This line", options: loosen },
    ]);
  }

  pasteOption(at, clipped) {
    const count = Object.keys(clipped.nodes).length;
    const first = clipped.nodes[clipped.start].node;
    return {
      icon: "content_paste",
      kind: "",
      label: `Paste ${clipped.start}`,
      description: count > 1 ? `${count} steps, from a ${first.kind} on.` : `A ${first.kind}.`,
      act: () => this.paste(at),
    };
  }

  // --- conditions ---

  /** Turn the textareas of conditions into rows, where the editor's script is there. */
  mountConditions(root) {
    const widgets = [...root.querySelectorAll("[data-condition-editor]")];
    for (const widget of widgets) window.ConditionEditor?.enhance(widget);
  }

  /** The same for the properties of an event; those of the trigger have no starting event. */
  mountWhere(field, ofStart) {
    const box = field.querySelector("[data-where]");
    const source = box?.querySelector("textarea");
    if (!source || !window.ConditionEditor) return;
    const name = field.querySelector('[data-part="event"]').value.trim();
    box.editor?.remove();
    source.hidden = true;
    const own = ofStart && field.dataset.setting === "event";
    box.editor = window.ConditionEditor.mountWhere(box, {
      endpoints: this.names.endpoints,
      text: source.value,
      event: name,
      readOnly: !this.editable,
      label: "Properties of the event",
      empty: "Any event of that name.",
      scope: { enrollment: false, trigger: own ? "" : (this.draft.entry?.trigger?.event ?? "") },
      onChange: (_, text) => {
        source.value = text;
        source.dispatchEvent(new Event("input", { bubbles: true }));
      },
    });
  }

  // --- the map ---

  stops() {
    return [...this.world.querySelectorAll(".jb-card, .jb-plus")];
  }

  /** One thing on the map is in the tab order; arrows go on from there. */
  rove(to = null) {
    const stops = this.stops();
    for (const stop of stops) stop.tabIndex = -1;
    const first = to ?? (stops.includes(document.activeElement) ? document.activeElement : stops[0]);
    if (first) first.tabIndex = 0;
  }

  focusCard(key) {
    const card = document.getElementById(`jb-card-${key}`);
    if (!card) return;
    this.rove(card);
    card.focus({ preventScroll: true });
    this.view.reveal(card);
  }

  async openCard(key) {
    await this.panel.open(key);
    // The panel takes room from the map.
    requestAnimationFrame(() => {
      const card = document.getElementById(`jb-card-${key}`);
      if (card) this.view.reveal(card);
    });
  }

  trace(key) {
    for (const line of this.world.querySelectorAll(".jb-line")) {
      const near = key !== null && (line.dataset.source === key || line.dataset.target === key);
      line.classList.toggle("jb-near", near);
    }
  }

  listen() {
    const { canvas, world } = this;
    world.addEventListener("click", (event) => {
      // A save may redraw the map between press and release; what was pressed is meant.
      const pressed = this.pressed && document.getElementById(this.pressed);
      const meant = event.target.closest(".jb-plus, .jb-card") ?? pressed;
      const plus = meant?.closest(".jb-plus");
      const card = meant?.closest(".jb-card");
      this.pressed = null;
      if (plus) this.offer(plus);
      else if (card) this.openCard(card.dataset.key);
    });
    canvas.addEventListener("pointerdown", (event) => {
      this.pressed = event.target.closest(".jb-plus, .jb-card")?.id ?? null;
    });
    world.addEventListener("focusin", (event) => {
      if (!event.target.matches(".jb-card, .jb-plus")) return;
      this.rove(event.target);
      // Not under a mouse that is pressed: what it points at must not move away.
      if (event.target.matches(":focus-visible")) this.view.reveal(event.target);
      this.trace(event.target.dataset.key ?? null);
    });
    world.addEventListener("pointerover", (event) => this.trace(event.target.closest(".jb-card")?.dataset.key ?? null));
    canvas.addEventListener("keydown", (event) => this.mapKeys(event));
    this.dragging();
    this.list.addEventListener("click", (event) => {
      const button = event.target.closest("button");
      if (!button) return;
      if (button.dataset.key) this.panel.open(button.dataset.key);
      else if (button.dataset.go) this.list.querySelector(`[data-key="${CSS.escape(button.dataset.go)}"]`)?.focus();
      else if (button.matches("[data-plus]")) this.offer(button);
    });
    this.root.addEventListener("click", (event) => {
      const button = event.target.closest("[data-do]");
      if (button) this.act(button.dataset.do, button);
    });
    document.addEventListener("keydown", (event) => this.keys(event));
    addEventListener("beforeunload", (event) => {
      if (this.dirty || this.saving || this.saveSoon.waits()) event.preventDefault();
    });
  }

  dragging() {
    const { world } = this;
    if (!this.editable) return;
    world.addEventListener("dragstart", (event) => {
      const card = event.target.closest?.(".jb-card");
      if (!card || card.dataset.key === ENTRY) return event.preventDefault();
      event.dataTransfer.effectAllowed = "move";
      event.dataTransfer.setData("text/plain", card.dataset.key);
      this.carrying = card.dataset.key;
      this.showCarrying();
    });
    world.addEventListener("dragover", (event) => {
      if (this.carrying && event.target.closest(".jb-stop")) event.preventDefault();
    });
    world.addEventListener("drop", (event) => {
      const plus = event.target.closest(".jb-stop")?.querySelector(".jb-plus");
      event.preventDefault();
      this.drop(plus ? this.placeOf(plus) : null);
    });
    // After a drop nothing is carried any more, and what was said of it stays.
    world.addEventListener("dragend", () => this.carrying && this.drop(null));
    world.addEventListener("pointerdown", (event) => {
      const card = event.target.closest(".jb-card");
      if (card) card.draggable = card.dataset.key !== ENTRY && event.pointerType === "mouse";
    });
  }

  mapKeys(event) {
    const here = event.target.closest(".jb-card, .jb-plus");
    if (!here || event.altKey) return;
    const key = here.dataset.key;
    const next = neighbour(here, this.stops(), event.key);
    if (next) {
      event.preventDefault();
      this.rove(next);
      next.focus({ preventScroll: true });
      this.view.reveal(next);
    } else if (event.key in { ArrowUp: 1, ArrowDown: 1, ArrowLeft: 1, ArrowRight: 1 }) {
      event.preventDefault();
    } else if (event.key === "Home" || event.key === "End") {
      event.preventDefault();
      this.stops().at(event.key === "Home" ? 0 : -1)?.focus();
    } else if (this.editable && key && key !== ENTRY && (event.key === "Delete" || event.key === "Backspace")) {
      event.preventDefault();
      this.askRemove(key);
    } else if (this.editable && key && event.key === "+") {
      event.preventDefault();
      this.world.querySelector(`.jb-plus[data-source="${CSS.escape(key)}"]`)?.click();
    }
  }

  keys(event) {
    const typing = event.target.closest("input, textarea, select, [contenteditable], dialog");
    const control = event.ctrlKey || event.metaKey;
    if (event.key === "Escape" && this.carrying) return this.drop(null);
    if (!control || event.target.closest("textarea, input:not([type=checkbox], [type=radio])")) return;
    const pressed = event.key.toLowerCase();
    const key = document.activeElement?.dataset?.key;
    if (pressed === "z") {
      event.preventDefault();
      this.act(event.shiftKey ? "redo" : "undo");
    } else if (pressed === "y") {
      event.preventDefault();
      this.act("redo");
    } else if (pressed === "c" && !typing && key && key !== ENTRY && !String(getSelection())) {
      event.preventDefault();
      this.clip(key, event.shiftKey);
    } else if (pressed === "v" && !typing && this.editable && copied()) {
      const plus = document.activeElement?.closest(".jb-plus");
      if (plus) {
        event.preventDefault();
        this.paste(this.placeOf(plus));
      }
    }
  }

  act(name, button) {
    const acts = {
      undo: () => this.step(this.history.undo(), "Undone."),
      redo: () => this.step(this.history.redo(), "Done again."),
      "zoom-in": () => this.view.zoom(1.2),
      "zoom-out": () => this.view.zoom(1 / 1.2),
      fit: () => this.view.fit(),
      png: () => savePng(this.urls.svg, button.dataset.name).catch(() => this.refuse(NO_PICTURE)),
      start: () => this.openCard(ENTRY),
      problems: () => this.showProblems(button),
      map: () => this.switchTo(false),
      list: () => this.switchTo(true),
    };
    acts[name]?.();
  }

  switchTo(list) {
    this.root.classList.toggle("jb-as-list", list);
    this.list.hidden = !list;
    this.canvas.hidden = list;
    for (const button of this.root.querySelectorAll('[data-do="map"], [data-do="list"]')) {
      button.setAttribute("aria-pressed", String((button.dataset.do === "list") === list));
    }
    if (!list) this.view.draw();
  }

  showProblems() {
    const all = Object.entries(this.cards).flatMap(([key, card]) =>
      card.problems.map((problem) => ({ key, card, problem })),
    );
    const options = all.map(({ key, card, problem }) => ({
      icon: problem.level === "error" ? "error" : "info",
      kind: problem.level,
      label: sentence(problem),
      description: key === ENTRY ? "Start" : `${card.label}: ${card.words}`,
      act: () => this.openCard(key),
    }));
    const whole = this.problems.map((problem) => ({
      icon: problem.level === "error" ? "error" : "info",
      kind: problem.level,
      label: sentence(problem),
      description: "The whole journey",
      act: () => this.openCard(ENTRY),
    }));
    if (options.length || whole.length) {
      this.palette.ask("What to look at", [{ title: "Problems and hints", options: [...whole, ...options] }]);
    }
  }
}

const root = document.querySelector("[data-builder]");
const state = JSON.parse(document.getElementById("jb-state").textContent);
root.builder = new Builder(root, state);
