// One row for each leaf of a condition: an attribute, an event, a thing picked from a list, and
// whatever is none of them, which is kept as it stands.

import { actions } from "./actions.js";
import { combobox } from "./combobox.js";
import { comparison, firstOperator } from "./comparison.js";
import { button, h, icon, select } from "./dom.js";
import { kindWords, kindsOf } from "./catalogue.js";
import { Num, parse, write } from "./json.js";
import { durationField } from "./values.js";

const COUNTS = [
  ["once", "at least once"],
  ["never", "never"],
  ["gte", "at least"],
  ["lte", "at most"],
  ["eq", "exactly"],
  ["gt", "more than"],
  ["lt", "fewer than"],
  ["ne", "not exactly"],
];
const EVENT_KEYS = ["event", "where", "count", "within", "since"];

const has = (map, keys) => [...map.keys()].every((key) => keys.includes(key));
const text = (value) => typeof value === "string";

/** The list of `where`, if its rows can be shown. */
export const isWhere = (value) => Array.isArray(value) && value.every((item) => item instanceof Map && isTerm(item));

const isTerm = (map) => has(map, ["property", "op", "value"]) && (!map.has("property") || text(map.get("property"))) && isOp(map);
const isOp = (map) => !map.has("op") || text(map.get("op"));

/** What kind of row shows a node: attribute, event, pick, blank or verbatim. */
export function rowKind(node, catalogue) {
  if (!(node instanceof Map)) return "verbatim";
  if (node.size === 0) return "blank";
  if (text(node.get("attribute")) && has(node, ["attribute", "op", "value"]) && isOp(node)) return "attribute";
  if (text(node.get("event")) && has(node, EVENT_KEYS)) return isEvent(node) ? "event" : "verbatim";
  return pickOf(node, catalogue) ? "pick" : "verbatim";
}

function isEvent(node) {
  const count = node.get("count");
  const counted = count === undefined || (count instanceof Map && has(count, ["op", "value"]) && text(count.get("op")) && count.get("value") instanceof Num);
  return counted && (!node.has("where") || isWhere(node.get("where"))) && (!node.has("within") || text(node.get("within"))) && [undefined, "entry"].includes(node.get("since"));
}

/** The pick that a node is, and whether it stands under `not`. */
export function pickOf(node, catalogue) {
  const negated = node.size === 1 && node.get("not") instanceof Map;
  const inner = negated ? node.get("not") : node;
  const pick = catalogue.picks.find((each) => text(inner.get(each.form)) && has(inner, [each.form, each.key]) && (!each.key || !inner.has(each.key) || text(inner.get(each.key))));
  return pick ? { pick, inner, negated } : null;
}

/** The row of a node. `slot`: {get, set, place, remove}. */
export function row(slot, editor) {
  const node = slot.get();
  const kind = rowKind(node, editor.catalogue);
  const fields = { attribute: attributeFields, event: eventFields, pick: pickFields, blank: () => [], verbatim: verbatimFields }[kind];
  const line = h("div", { class: "ce-line" }, kind === "verbatim" ? null : subject(slot, kind, editor), fields(node, editor, slot));
  const element = h(
    "div",
    { class: `ce-row ce-row-${kind}`, role: "group" },
    h("div", { class: "ce-main" }, line, kind === "event" ? whereRows(node, editor, () => slot.place()) : null),
    actions(slot, editor, "row"),
  );
  editor.note(element, slot, node);
  return element;
}

// --- what it is about -------------------------------------------------------------------------------

function subjectOptions(editor) {
  const { catalogue } = editor;
  const attribute = (section) => (each) => ({
    section,
    icon: "person",
    label: each.label ?? each.name,
    search: each.name,
    hint: kindWords(kindsOf(each.types)),
    value: { attribute: each.name },
  });
  const picks = catalogue.picks.filter((each) => editor.allows(each.form) && (!each.enrollment || editor.scope.enrollment));
  return [
    ...picks.map((each) => ({ section: "About the contact", icon: each.icon, label: each.label, value: { pick: each } })),
    ...catalogue.own.map(attribute("About the contact")),
    ...catalogue.attributes.map(attribute("Attributes")),
    ...catalogue.events.map((name) => ({ section: "Events", icon: "bolt", label: name, value: { event: name } })),
  ];
}

function subject(slot, kind, editor) {
  const node = slot.get();
  const shown = {
    attribute: () => [editor.catalogue.attributeLabel(node.get("attribute")), "person"],
    event: () => [node.get("event"), "bolt"],
    pick: () => [pickOf(node, editor.catalogue).pick.label, pickOf(node, editor.catalogue).pick.icon],
    blank: () => ["", "search"],
  };
  const [label, symbol] = shown[kind]();
  return combobox({
    text: label,
    label: "What the row is about",
    placeholder: "Attribute or event …",
    symbol,
    "data-part": "subject",
    options: () => subjectOptions(editor),
    free: (name) => [
      { section: "Not seen yet", icon: "person", label: name, hint: "attribute", value: { attribute: name } },
      { section: "Not seen yet", icon: "bolt", label: name, hint: "event", value: { event: name } },
    ],
    pick: (option) => become(slot, option.value, editor),
  });
}

/** Make the row one about something else; what still makes sense is kept. */
function become(slot, value, editor) {
  const node = slot.get();
  const map = new Map();
  if (value.attribute !== undefined) {
    const kinds = kindsOf(editor.catalogue.attributesByName?.get(value.attribute));
    const before = node instanceof Map && node.has("attribute") ? kindsOf(editor.catalogue.attributesByName?.get(node.get("attribute"))) : [];
    const same = node instanceof Map && node.has("attribute") && String(before) === String(kinds);
    map.set("attribute", value.attribute);
    map.set("op", same ? node.get("op") : firstOperator(editor.catalogue, kinds));
    if (same && node.has("value")) map.set("value", node.get("value"));
    else if (String(kinds) === "yes_no") map.set("value", true);
  } else if (value.event !== undefined) {
    const kept = node instanceof Map && node.has("event") ? node : new Map();
    map.set("event", value.event);
    for (const key of ["count", "within", "since"]) if (kept.has(key)) map.set(key, kept.get(key));
  } else {
    map.set(value.pick.form, "");
    if (value.pick.key) map.set(value.pick.key, Object.keys(value.pick.words)[0]);
  }
  slot.set(map);
  editor.fresh.add(map);
  editor.changed();
  editor.redraw(map, "next");
}

// --- attribute --------------------------------------------------------------------------------------

function attributeFields(node, editor) {
  const name = node.get("attribute");
  const kinds = kindsOf(editor.catalogue.attributesByName?.get(name));
  return comparison({ map: node, kinds, label: editor.catalogue.attributeLabel(name), editor, mayTrigger: false, known: () => editor.catalogue.values({ attribute: name }) });
}

// --- event ------------------------------------------------------------------------------------------

function countWay(count) {
  if (count === undefined) return "once";
  return count.get("op") === "eq" && count.get("value").text === "0" ? "never" : count.get("op");
}

function eventFields(node, editor) {
  const label = node.get("event");
  return [countFields(node, editor, label), withinFields(node, editor, label), sinceField(node, editor, label)].flat().filter(Boolean);
}

function countFields(node, editor, label) {
  const way = countWay(node.get("count"));
  const number = () => node.get("count")?.get("value")?.text;
  const choice = select({
    value: way,
    options: COUNTS,
    class: "ce-select ce-op",
    "data-part": "count.op",
    "aria-label": `How often: ${label}`,
    onchange: () => {
      const before = number();
      if (choice.value === "once") node.delete("count");
      else if (choice.value === "never") node.set("count", count("eq", "0"));
      else node.set("count", count(choice.value, before === undefined || before === "0" ? "2" : before));
      editor.changed();
      editor.redraw(node, "count.op");
    },
  });
  if (way === "once" || way === "never") return [choice];
  const amount = h("input", {
    class: "ce-input ce-amount",
    type: "text",
    inputmode: "numeric",
    value: number(),
    "data-part": "count.value",
    "aria-label": `Number of times: ${label}`,
    oninput: () => {
      const right = /^(0|[1-9]\d*)$/.test(amount.value);
      amount.setCustomValidity(right ? "" : "Write a whole number from 0.");
      if (!right) return;
      node.get("count").set("value", new Num(amount.value));
      editor.changed();
    },
    onchange: () => amount.reportValidity(),
  });
  return [choice, h("span", { class: "ce-pair" }, amount, h("span", { class: "ce-word" }, "times"))];
}

const count = (op, value) => new Map([["op", op], ["value", new Num(value)]]);

function withinFields(node, editor, label) {
  const bounded = node.has("within");
  const choice = select({
    value: bounded ? "within" : "ever",
    options: [
      ["ever", "at any time"],
      ["within", "in the last"],
    ],
    "aria-label": `When: ${label}`,
    "data-part": bounded ? "when" : "within",
    onchange: (event) => {
      if ((event.target.value === "within") === bounded) return;
      if (bounded) node.delete("within");
      else node.set("within", "30d");
      editor.changed();
      editor.redraw(node, bounded ? "within" : "when");
    },
  });
  if (!bounded) return [choice];
  const set = (value) => {
    node.set("within", value ?? "");
    editor.changed();
  };
  const field = durationField({ value: node.get("within") || undefined, set, label: `In the last: ${label}`, part: "within", redraw: () => editor.redraw(node, "within") });
  return [h("span", { class: "ce-pair" }, choice, field)];
}

function sinceField(node, editor, label) {
  if (!editor.scope.enrollment && !node.has("since")) return [];
  const change = (event) => {
    if (event.target.checked) node.set("since", "entry");
    else node.delete("since");
    editor.changed();
  };
  const box = h("input", { type: "checkbox", class: "ce-check", "data-part": "since", "aria-label": `Only since the entry: ${label}`, onchange: change });
  box.checked = node.has("since");
  return [h("label", { class: "ce-word ce-since" }, box, "since the entry")];
}

// --- where ------------------------------------------------------------------------------------------

function whereRows(node, editor, place) {
  const list = node.get("where") ?? [];
  const add = () => {
    if (!node.has("where")) node.set("where", list);
  };
  const removed = () => {
    if (!list.length) node.delete("where");
  };
  return whereList({ list, event: node.get("event"), editor, place: () => `${place()}.where`.replace(/^\./, ""), add, removed });
}

/** The rows of a `where` list, and the button that adds one. */
export function whereList({ list, event, editor, place, add = () => {}, removed = () => {} }) {
  const rows = list.map((term, index) =>
    termRow({
      term,
      index,
      event,
      editor,
      place: () => `${place()}[${index}]`,
      remove: () => {
        list.splice(index, 1);
        removed();
        editor.changed();
        editor.redraw(list[index] ?? list[index - 1] ?? null, "subject");
      },
    }),
  );
  const more = button(
    {
      class: "ce-add ce-add-where",
      onclick: () => {
        const term = new Map([["property", ""], ["op", "eq"]]);
        add();
        list.push(term);
        editor.fresh.add(term);
        editor.changed();
        editor.redraw(term, "subject");
      },
    },
    icon("add"),
    list.length ? "Another property" : "Where a property …",
  );
  return h("div", { class: "ce-where" }, rows, more);
}

function termRow({ term, index, event, editor, place, remove }) {
  const name = term.get("property") ?? "";
  const kinds = kindsOf(editor.properties(event)?.[name]);
  const options = async () => {
    const seen = Object.entries(await editor.catalogue.properties(event));
    return seen.map(([each, types]) => ({ label: each, hint: kindWords(kindsOf(types)), value: each, types }));
  };
  const property = combobox({
    text: name,
    label: `Property of ${event || "the event"}`,
    placeholder: "Property",
    "data-part": "subject",
    options,
    free: (written) => [{ label: written, value: written, section: "Not seen yet" }],
    pick: (option) => {
      term.set("property", option.value);
      if (!term.has("value")) {
        const kinds = kindsOf(option.types);
        term.set("op", firstOperator(editor.catalogue, kinds));
        if (String(kinds) === "yes_no") term.set("value", true);
      }
      editor.changed();
      editor.redraw(term, "next");
    },
  });
  const compared = comparison({
    map: term,
    kinds,
    label: name || "property",
    editor,
    mayTrigger: Boolean(editor.scope.trigger) || editor.usesTrigger(term),
    known: () => editor.catalogue.values({ event, property: name }),
  });
  const element = h(
    "div",
    { class: "ce-row ce-term", role: "group" },
    h("span", { class: "ce-word" }, index ? "and" : "where"),
    h("div", { class: "ce-main" }, h("div", { class: "ce-line" }, property, compared)),
    button({ class: "ce-remove", "aria-label": `Remove: ${name || "this property"}`, title: "Remove", onclick: remove }, icon("close")),
  );
  editor.note(element, { place }, term);
  return element;
}

// --- picked from a list -----------------------------------------------------------------------------

function pickFields(node, editor, slot) {
  const { pick, inner, negated } = pickOf(node, editor.catalogue);
  const negate = (event) => {
    slot.set(event.target.value === "fails" ? new Map([["not", inner]]) : inner);
    editor.changed();
    editor.redraw(slot.get(), "op");
  };
  const verb = select({
    value: negated ? "fails" : "holds",
    options: [
      ["holds", pick.holds],
      ["fails", pick.fails],
    ],
    class: "ce-select ce-op",
    "data-part": "op",
    "aria-label": `Operator: ${pick.label}`,
    onchange: negate,
  });
  const choices = editor.catalogue.choices(pick);
  const slug = inner.get(pick.form);
  const name = combobox({
    text: choices.find(([each]) => each === slug)?.[1] ?? slug,
    label: pick.label,
    placeholder: "Choose",
    "data-part": pick.form,
    "data-pick": true,
    options: () => editor.catalogue.choices(pick).map(([each, label]) => ({ label, search: each, hint: each === label ? "" : each, value: each })),
    pick: (option) => {
      inner.set(pick.form, option.value);
      editor.changed();
    },
  });
  const deed = pick.key
    ? select({
        value: inner.get(pick.key),
        options: Object.entries(pick.words),
        "data-part": pick.key,
        "aria-label": `What it did: ${pick.label}`,
        onchange: (event) => {
          inner.set(pick.key, event.target.value);
          editor.changed();
        },
      })
    : null;
  return [verb, name, deed].filter(Boolean);
}

// --- anything else ----------------------------------------------------------------------------------

function verbatimFields(node, editor, slot) {
  const input = h("textarea", {
    class: "ce-input ce-json",
    rows: 3,
    spellcheck: "false",
    "data-part": "subject",
    "aria-label": "This part has no row of its own. It is kept as it is, as JSON",
    oninput: () => {
      try {
        slot.set(parse(input.value));
        input.setCustomValidity("");
        editor.changed();
      } catch (error) {
        input.setCustomValidity(error.message);
      }
    },
    onchange: () => input.reportValidity(),
  });
  input.value = write(node, 2);
  return [h("span", { class: "ce-word" }, "Kept as written"), input];
}
