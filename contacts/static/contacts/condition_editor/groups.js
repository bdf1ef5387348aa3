// Groups: all, any, none, or not all of what is in them.

import { actions } from "./actions.js";
import { button, h, icon, select } from "./dom.js";
import { pickOf, row } from "./rows.js";

const MODES = [
  ["all", "all of these"],
  ["any", "at least one of these"],
  ["none", "none of these"],
  ["notall", "not all of these"],
];
const JOINTS = { all: "and", any: "or", none: "nor", notall: "and" };

const only = (node, key) => node instanceof Map && node.size === 1 && node.has(key);

/**
 * A node as a group: its mode, its items, whether they stand in a list, and the way to them.
 * Null where it is a leaf.
 */
export function asGroup(node, catalogue) {
  for (const key of ["all", "any"]) {
    if (only(node, key) && Array.isArray(node.get(key))) return { mode: key, items: node.get(key), listed: true, way: key };
  }
  if (!only(node, "not") || pickOf(node, catalogue)) return null;
  const inner = node.get("not");
  if (only(inner, "any") && Array.isArray(inner.get("any"))) return { mode: "none", items: inner.get("any"), listed: true, way: "not.any" };
  if (only(inner, "all") && Array.isArray(inner.get("all"))) return { mode: "notall", items: inner.get("all"), listed: true, way: "not.all" };
  return { mode: "none", items: [inner], listed: false, way: "not" };
}

/** The node that a group of that mode is. */
export function makeGroup(mode, items) {
  if (mode === "none") return new Map([["not", new Map([["any", items]])]]);
  if (mode === "notall") return new Map([["not", new Map([["all", items]])]]);
  return new Map([[mode, items]]);
}

/**
 * Draw a group. `slot`: {get, set, place, remove}; `root`: the outermost one, whose node may be a
 * leaf or nothing at all.
 */
export function group(slot, editor, root = false) {
  const found = (slot.get() !== undefined && asGroup(slot.get(), editor.catalogue)) || bare(slot);
  const { mode, items } = found;
  const step = (index) => (found.listed ? `${found.way}[${index}]` : found.way);
  const put = (changedItems) => store(slot, mode, changedItems, root);
  const children = items.map((_, index) =>
    part(
      {
        get: () => items[index],
        set: (value) => {
          items[index] = value;
          if (!found.listed) put(items);
        },
        place: () => [slot.place(), step(index)].filter(Boolean).join("."),
        remove: () => {
          items.splice(index, 1);
          put(items);
          editor.changed();
          editor.redraw(items[index] ?? items[index - 1] ?? slot.get() ?? null, "subject");
        },
      },
      editor,
      index ? JOINTS[mode] : "",
    ),
  );
  const add = (item, part) => {
    items.push(item);
    if (!found.listed || root) put(items);
    editor.fresh.add(item);
    editor.changed();
    editor.redraw(item, part);
  };
  const head = slot.get() !== undefined ? headline(slot, mode, items, editor, root) : null;
  const element = h(
    "div",
    { class: root ? "ce-group ce-root" : "ce-group", role: "group", "aria-label": `Group: ${MODES.find(([each]) => each === mode)[1]}` },
    head,
    h("div", { class: "ce-parts" }, children),
    h(
      "div",
      { class: "ce-foot" },
      button({ class: "ce-add", onclick: () => add(new Map(), "subject") }, icon("add"), "Condition"),
      button(
        {
          class: "ce-add",
          onclick: () => {
            const first = new Map();
            editor.fresh.add(first);
            add(makeGroup(mode === "all" ? "any" : "all", [first]), "subject");
          },
        },
        icon("add"),
        "Group",
      ),
    ),
  );
  if (!root) editor.note(element, slot, slot.get());
  return element;
}

function bare(slot) {
  const node = slot.get();
  return { mode: "all", items: node === undefined ? [] : [node], listed: false, way: "" };
}

/** Put items into the slot; the outermost group of one or none is that one, or nothing. */
function store(slot, mode, items, root) {
  const node = slot.get();
  const group = node !== undefined && node instanceof Map ? node : null;
  const inner = group?.get("not") instanceof Map ? group.get("not") : group;
  if ([...(inner?.values() ?? [])].includes(items)) {
    if (root && !items.length) slot.set(undefined);
    return;
  }
  if (root && mode === "all" && items.length < 2) slot.set(items[0]);
  else if (mode === "none" && items.length === 1) slot.set(new Map([["not", items[0]]]));
  else slot.set(makeGroup(mode, items));
}

function headline(slot, mode, items, editor, root) {
  const choice = select({
    value: mode,
    options: MODES,
    class: "ce-select ce-mode",
    "data-part": "mode",
    "aria-label": "How the conditions of this group are joined",
    onchange: () => {
      if (choice.value === mode) return;
      slot.set(makeGroup(choice.value, items));
      editor.changed();
      editor.redraw(slot.get(), "mode");
    },
  });
  return h("div", { class: "ce-head" }, h("span", { class: "ce-word" }, root ? "Contacts who match" : "Match"), choice, root ? null : actions(slot, editor, "group"));
}

function part(slot, editor, joint) {
  const inner = asGroup(slot.get(), editor.catalogue) ? group(slot, editor) : row(slot, editor);
  return h("div", { class: "ce-part" }, h("span", { class: "ce-joint", "aria-hidden": joint ? null : "true" }, joint), inner);
}
