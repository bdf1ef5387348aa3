// Text fields with a list of suggestions, after the ARIA pattern "combobox with list autocomplete".

import { h, icon, newId } from "./dom.js";

const MOST = 200;

/**
 * Make a combobox.
 *
 * `text`: what it shows at first. `options()`: {section, label, hint, icon, value} or a promise of
 * them. `free(text)`: options for a text that is none of them. `pick(option)`: one was chosen.
 */
export function combobox({ text, label, placeholder, symbol, options, free = () => [], pick, ...properties }) {
  const input = h("input", { class: "ce-input", type: "text", "aria-label": label, placeholder, value: text, ...properties });
  const box = h("div", { class: "ce-combo" }, symbol ? icon(symbol) : null, input, icon("unfold_more"));
  box.append(withList({ input, box, text, options, free, pick }));
  input.addEventListener("focus", () => input.select());
  return box;
}

/**
 * Let a field that takes any text suggest some. `options()` promises them, `pick(option)`: one was
 * chosen. Returns the list, which belongs beside the field in `box`.
 */
export function suggest({ input, box, options, pick }) {
  const offered = async () => (await options()).map((value) => ({ section: "Values seen", label: String(value), value }));
  return withList({ input, box, text: "", options: offered, free: () => [], pick, live: true });
}

/** Make a list for `input`. `live`: what is typed counts as it is, and the list only helps. */
function withList({ input, box, text, options, free, pick, live = false }) {
  const id = newId("list");
  const list = h("div", { class: "ce-list", id, role: "listbox", "aria-label": "Suggestions", popover: "manual" });
  const roles = { role: "combobox", autocomplete: "off", autocapitalize: "off", spellcheck: "false", "aria-autocomplete": "list", "aria-expanded": "false", "aria-controls": id };
  for (const [key, value] of Object.entries(roles)) input.setAttribute(key, value);
  const state = { shown: [], active: -1, typed: false, text, open: false };

  async function show() {
    const all = await options();
    if (document.activeElement !== input) return;
    const words = state.typed ? input.value.trim().toLowerCase().split(/\s+/) : [];
    const fits = (option) => {
      const hay = `${option.label} ${option.search ?? ""}`.toLowerCase();
      return words.every((word) => hay.includes(word));
    };
    const found = all.filter(fits);
    const written = state.typed ? input.value.trim() : "";
    const exact = found.some((option) => option.label === written || option.search === written);
    state.shown = [...found.slice(0, MOST), ...(written && !exact ? free(written) : [])];
    if (live && (!state.shown.length || (exact && found.length === 1))) return void close();
    const first = state.typed && state.shown.length && !live;
    state.active = first ? 0 : state.shown.findIndex((o) => o.label === (live ? input.value : state.text));
    draw(found.length - MOST);
  }

  function draw(more) {
    const rows = [];
    let section = null;
    state.shown.forEach((option, index) => {
      if (option.section !== section) {
        section = option.section;
        if (section) rows.push(h("div", { class: "ce-section", role: "presentation" }, section));
      }
      rows.push(row(option, index));
    });
    if (more > 0) rows.push(h("div", { class: "ce-more", role: "presentation" }, `${more} more. Type to find them.`));
    if (!rows.length) rows.push(h("div", { class: "ce-more", role: "presentation" }, "Nothing is known yet. Type a name."));
    list.replaceChildren(...rows);
    open();
    mark();
  }

  function row(option, index) {
    return h(
      "div",
      {
        class: "ce-option",
        role: "option",
        id: `${id}-${index}`,
        "aria-selected": "false",
        // Before the field loses the focus.
        onmousedown: (event) => event.preventDefault(),
        onclick: () => choose(option),
      },
      option.icon ? icon(option.icon) : null,
      h("span", { class: "ce-option-label" }, option.label),
      option.hint ? h("span", { class: "ce-option-hint" }, option.hint) : null,
    );
  }

  function open() {
    if (!state.open) {
      state.open = true;
      list.showPopover?.();
      input.setAttribute("aria-expanded", "true");
      addEventListener("scroll", place, true);
      addEventListener("resize", place);
    }
    place();
  }

  function place() {
    if (!box.isConnected) return close();
    const at = box.getBoundingClientRect();
    const below = innerHeight - at.bottom;
    const up = below < 220 && at.top > below;
    const room = Math.max(120, (up ? at.top : below) - 12);
    const width = Math.min(Math.max(at.width, 260), innerWidth - 16);
    list.style.width = `${width}px`;
    list.style.maxHeight = `${Math.min(320, room)}px`;
    list.style.left = `${Math.max(8, Math.min(at.left, innerWidth - width - 8))}px`;
    list.style.top = up ? "auto" : `${at.bottom + 4}px`;
    list.style.bottom = up ? `${innerHeight - at.top + 4}px` : "auto";
    return undefined;
  }

  function close() {
    if (!state.open) return;
    state.open = false;
    if (list.isConnected) list.hidePopover?.();
    input.setAttribute("aria-expanded", "false");
    input.removeAttribute("aria-activedescendant");
    removeEventListener("scroll", place, true);
    removeEventListener("resize", place);
  }

  function mark() {
    list.querySelectorAll("[role=option]").forEach((element, index) => {
      const active = index === state.active;
      element.setAttribute("aria-selected", String(active));
      if (!active) return;
      input.setAttribute("aria-activedescendant", element.id);
      element.scrollIntoView({ block: "nearest" });
    });
  }

  function choose(option) {
    state.typed = false;
    state.text = input.value = option.label;
    close();
    pick(option);
  }

  function leave() {
    close();
    if (!state.typed || live) return;
    const written = input.value.trim();
    const same = (option) => option.label === written || option.search === written;
    const option = written && (state.shown.find(same) ?? free(written)[0]);
    if (option) choose(option);
    else input.value = state.text;
    state.typed = false;
  }

  const keys = {
    ArrowDown: () => (state.open ? move(1) : show()),
    ArrowUp: () => (state.open ? move(-1) : show()),
    Home: () => state.open && move(-state.active),
    End: () => state.open && move(state.shown.length - 1 - state.active),
    Escape: () => {
      close();
      if (live) return;
      input.value = state.text;
      state.typed = false;
    },
    Enter: () => {
      if (state.open && state.shown[state.active]) choose(state.shown[state.active]);
      else show();
    },
  };

  function move(by) {
    const count = state.shown.length;
    if (!count) return;
    state.active = (Math.max(state.active, by < 0 ? 0 : -1) + by + count) % count;
    mark();
  }

  input.addEventListener("keydown", (event) => {
    const act = keys[event.key];
    if (!act || event.isComposing || event.altKey) return;
    if ((event.key === "Home" || event.key === "End") && !state.open) return;
    // What takes any text keeps its own keys where the list has no use for them.
    if (live && (state.open ? event.key === "Enter" && !state.shown[state.active] : !event.key.startsWith("Arrow"))) return;
    if (live && (event.key === "Home" || event.key === "End")) return;
    event.preventDefault();
    if (live || (event.key === "Escape" && state.open)) event.stopImmediatePropagation();
    act();
  }, true);
  input.addEventListener("input", () => {
    state.typed = true;
    show();
  });
  input.addEventListener("click", () => !state.open && show());
  input.addEventListener("focus", () => live && !input.value && show());
  input.addEventListener("blur", leave);
  return list;
}
