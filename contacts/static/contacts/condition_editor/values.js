// The field for the value of a comparison, by what its operator takes and by the value itself.
//
// A value that a field cannot show as it is (a text with line breaks, an object) is shown as JSON,
// so whatever stands in a condition can be seen and stays as it is until somebody changes it.

import { suggest } from "./combobox.js";
import { button, h, icon, select } from "./dom.js";
import { Num, isNumber, parse, write } from "./json.js";

const KINDS = { text: "Text", number: "Number", yes_no: "Yes or no", date: "Date", json: "As JSON" };
const UNITS = [
  ["m", "minutes"],
  ["h", "hours"],
  ["d", "days"],
  ["w", "weeks"],
];
const DATE = /^(?!0000)\d{4}-\d\d-\d\d$/;
const MINUTE = /^(?!0000)(\d{4}-\d\d-\d\dT\d\d:\d\d)Z$/;
/** What an operator suits when nobody has seen a value yet. */
const FIRST = { any: "text", ordered: "number", text: "text" };
const MAY = { any: ["text", "number", "yes_no", "date", "json"], ordered: ["number", "text"], text: ["text"] };

/** The kind that somebody chose for a comparison that has no value yet. */
const chosen = new WeakMap();

/** Whether the browser's own field shows it: a text in that form, and a day that exists. */
const fits = (pattern, text) =>
  typeof text === "string" && pattern.test(text) && isReal(text.length > 10 ? text : `${text}T00:00Z`);

function isReal(minute) {
  const moment = new Date(minute);
  return !Number.isNaN(moment.getTime()) && moment.toISOString().startsWith(minute.slice(0, 16));
}

/** What kind of field shows a value. */
export function kindOf(value, kinds, mayTrigger) {
  if (typeof value === "boolean") return "yes_no";
  if (value instanceof Num) return "number";
  if (typeof value === "string" && !/[\n\r]/.test(value)) {
    return fits(DATE, value) && kinds.includes("date") && !kinds.includes("text") ? "date" : "text";
  }
  if (mayTrigger && value instanceof Map && value.size === 1 && typeof value.get("trigger") === "string") {
    return "trigger";
  }
  return "json";
}

/**
 * The field for `map`'s "value". `kinds`: what the name was seen to hold. `trigger`: makes the field
 * for a property of the starting event, or null where there is none. `known()` promises the values
 * seen, to suggest them.
 */
export function valueField({ map, takes, kinds, label, trigger, known, changed, redraw }) {
  const set = (value) => {
    if (value === undefined) map.delete("value");
    else map.set("value", value);
    changed();
  };
  const context = { map, value: map.get("value"), set, kinds, label, known, changed, redraw };
  if (takes === "nothing") return null;
  if (takes === undefined) return jsonField(context);
  const current = map.has("value") ? kindOf(context.value, kinds, Boolean(trigger)) : null;
  if (current === "trigger") return typed(kindSwitch(context, "trigger", takes, true), trigger(context));
  const may = Boolean(trigger);
  if (takes === "duration") {
    const text = !map.has("value") || typeof context.value === "string";
    return withTrigger(context, may, text ? durationField(context) : jsonField(context), takes);
  }
  if (takes === "moment") return withTrigger(context, may, momentField(context), takes);
  if (takes === "list") {
    const list = !map.has("value") || Array.isArray(context.value);
    return withTrigger(context, may, list ? listField(context) : jsonField(context), takes);
  }
  return scalarField(context, takes, current, may);
}

function scalarField(context, takes, current, mayTrigger) {
  const suggested = context.kinds.map((kind) => (kind === "object" ? "json" : kind)).filter((kind) => MAY[takes].includes(kind));
  const wanted = chosen.get(context.map);
  const dated = current === "text" && wanted === "date" && fits(DATE, context.value);
  const kind = dated ? "date" : (current ?? wanted ?? suggested[0] ?? FIRST[takes]);
  const sure = suggested.length === 1 && suggested[0] === kind && !mayTrigger;
  const choice = sure ? null : kindSwitch(context, kind, takes, mayTrigger);
  return typed(choice, FIELDS[kind](context));
}

function withTrigger(context, mayTrigger, field, takes) {
  return mayTrigger ? typed(kindSwitch(context, "value", takes, true), field) : field;
}

/** A field with the choice of its type before it, if there is one. */
const typed = (choice, field) => (choice ? h("span", { class: "ce-pair ce-typed" }, choice, field) : field);

const EMPTY = {
  text: undefined,
  number: undefined,
  yes_no: true,
  date: undefined,
  json: null,
  trigger: () => new Map([["trigger", ""]]),
  value: undefined,
};

function kindSwitch(context, kind, takes, mayTrigger) {
  const own = MAY[takes] ? MAY[takes].map((each) => [each, KINDS[each]]) : [["value", "Value"]];
  const options = mayTrigger ? [...own, ["trigger", "Starting event’s"]] : own;
  if (!options.some(([each]) => each === kind)) options.push([kind, KINDS[kind] ?? kind]);
  if (options.length < 2) return null;
  const change = (event) => {
    if (event.target.value === kind) return;
    chosen.set(context.map, event.target.value);
    context.set(converted(context.value, event.target.value));
    context.redraw();
  };
  return select({ value: kind, options, class: "ce-select ce-kind", "aria-label": `Type of the value: ${context.label}`, onchange: change });
}

/** The value as another kind, as far as it can be kept. */
function converted(value, kind) {
  const text = typeof value === "string" ? value : value instanceof Num ? value.text : null;
  if (kind === "text" && text !== null) return text;
  if (kind === "number" && text !== null && isNumber(text)) return new Num(text);
  if (kind === "date" && fits(DATE, text)) return text;
  if (kind === "json" && value !== undefined) return value instanceof Map || Array.isArray(value) ? value : null;
  const empty = EMPTY[kind];
  return typeof empty === "function" ? empty() : empty;
}

function textField({ value, set, label, known }) {
  const input = h("input", {
    class: "ce-input ce-value",
    type: "text",
    value: value ?? "",
    placeholder: value === "" ? "empty text" : "Value",
    "data-part": "value",
    "aria-label": label,
    // Who empties the field wants no value; an empty text that stood there already may stay.
    oninput: (event) => set(event.target.value || (value === "" ? "" : undefined)),
  });
  return suggesting(input, known, "string", set);
}

/** The field with the known values of a type below it. */
function suggesting(input, known, type, set) {
  if (!known) return input;
  const box = h("span", { class: "ce-combo ce-suggesting" }, input);
  const options = async () => (await known()).filter((each) => typeof each === type);
  const pick = ({ value }) => set(type === "number" ? new Num(String(value)) : value);
  box.append(suggest({ input, box, options, pick }));
  return box;
}

function numberField({ value, set, label, known }) {
  const input = h("input", {
    class: "ce-input ce-value ce-number",
    type: "text",
    inputmode: "decimal",
    value: value?.text ?? "",
    placeholder: "Number",
    "data-part": "value",
    "aria-label": label,
    oninput: () => {
      const written = input.value.trim();
      const right = isNumber(written);
      input.setCustomValidity(right || !written ? "" : "Write a number such as 10 or 2.5.");
      set(right ? new Num(written) : undefined);
    },
    onchange: () => input.reportValidity(),
  });
  return suggesting(input, known, "number", set);
}

function yesNoField({ value, set, label }) {
  return select({
    value: String(value ?? ""),
    options: [
      ...(value === undefined ? [["", "Choose"]] : []),
      ["true", "Yes"],
      ["false", "No"],
    ],
    class: "ce-select ce-value",
    "data-part": "value",
    "aria-label": label,
    onchange: (event) => set(event.target.value ? event.target.value === "true" : undefined),
  });
}

function dateField({ value, set, label }) {
  return h("input", {
    class: "ce-input ce-value ce-date",
    type: "date",
    value: value ?? "",
    "data-part": "value",
    "aria-label": label,
    oninput: (event) => set(event.target.value || undefined),
  });
}

function jsonField({ value, set, label }) {
  const input = h("textarea", {
    class: "ce-input ce-value ce-json",
    rows: 1,
    spellcheck: "false",
    "data-part": "value",
    "aria-label": `${label}, as JSON`,
    oninput: () => {
      try {
        set(input.value.trim() ? parse(input.value) : undefined);
        input.setCustomValidity("");
      } catch (error) {
        input.setCustomValidity(error.message);
      }
    },
    onchange: () => input.reportValidity(),
  });
  input.value = value === undefined ? "" : write(value);
  return input;
}

const FIELDS = { text: textField, number: numberField, yes_no: yesNoField, date: dateField, json: jsonField };

/** A duration: a number and a unit, or its text where it has several units. */
export function durationField({ value, set, label, part = "value", redraw }) {
  const match = /^(\d+)([mhdw])$/.exec(value ?? "");
  if (typeof value === "string" && value && !match) return durationText({ value, set, label, part });
  const amount = h("input", {
    class: "ce-input ce-amount",
    type: "text",
    inputmode: "numeric",
    value: match?.[1] ?? "",
    "data-part": part,
    "aria-label": `${label}: how many`,
    oninput: () => store(),
  });
  const unit = select({
    value: match?.[2] ?? "d",
    options: [...UNITS, ["text", "other…"]],
    class: "ce-select ce-unit",
    "aria-label": `${label}: unit`,
    onchange: () => {
      if (unit.value !== "text") return store();
      set("1d12h");
      return redraw();
    },
  });
  function store() {
    const right = /^\d+$/.test(amount.value);
    amount.setCustomValidity(right || !amount.value ? "" : "Write a whole number.");
    set(right ? amount.value + unit.value : undefined);
  }
  return h("span", { class: "ce-pair" }, amount, unit);
}

function durationText({ value, set, label, part }) {
  return h("input", {
    class: "ce-input ce-duration",
    type: "text",
    value,
    placeholder: "1d12h",
    title: "Weeks, days, hours, minutes and seconds, such as 1d12h.",
    "data-part": part,
    "aria-label": `${label}, such as 1d12h`,
    oninput: (event) => set(event.target.value || undefined),
  });
}

/** A moment: now, a date, a time in UTC, or a text where it is written in another way. */
function momentField({ value, set, label, redraw }) {
  const way =
    value === "now" ? "now" : value === undefined || fits(DATE, value) ? "date" : fits(MINUTE, value) ? "time" : "text";
  const options = [
    ["now", "now"],
    ["date", "the date"],
    ["time", "the time (UTC)"],
  ];
  if (way === "text") options.push(["text", "as written"]);
  const choice = select({
    value: way,
    options,
    "aria-label": `${label}: now, or when`,
    onchange: () => {
      if (choice.value === way) return;
      const first = typeof value === "string" ? value.slice(0, 10) : "";
      const day = fits(DATE, first) ? first : new Date().toISOString().slice(0, 10);
      set({ now: "now", date: day, time: `${day}T00:00Z`, text: value }[choice.value]);
      redraw();
    },
  });
  if (way === "now") choice.dataset.part = "value";
  const fields = { now: () => null, date: dateField, time: timeField, text: typeof value === "string" ? textField : jsonField };
  return h("span", { class: "ce-pair ce-typed" }, choice, fields[way]({ value, set, label }));
}

function timeField({ value, set, label }) {
  return h("input", {
    class: "ce-input ce-value ce-date",
    type: "datetime-local",
    value: MINUTE.exec(value)?.[1] ?? "",
    "data-part": "value",
    "aria-label": `${label}, in UTC`,
    oninput: (event) => set(event.target.value ? `${event.target.value.slice(0, 16)}Z` : undefined),
  });
}

/** A list: each item can be removed, and what is typed is added. */
function listField({ value, set, kinds, label, known }) {
  const items = value ?? [];
  const numbers = items.length ? items.every((item) => item instanceof Num) : kinds.length === 1 && kinds[0] === "number";
  const mixed = kinds.length !== 1;
  const state = { numbers };
  const store = () => set(items);
  const chips = h("span", { class: "ce-chips", role: "list", "aria-label": label });
  const input = h("input", {
    class: "ce-chip-input",
    type: "text",
    placeholder: items.length ? "Add another" : "Add a value, then Enter",
    "data-part": "value",
    "aria-label": `Add to the list: ${label}`,
    onkeydown: (event) => {
      if (event.key === "Enter") {
        event.preventDefault();
        add(input.value);
        input.focus(); // it was taken out of the page for a moment, and the next value comes here
      } else if (event.key === "Backspace" && !input.value && items.length) remove(items.length - 1);
    },
    onblur: () => add(input.value),
    onpaste: (event) => {
      const lines = event.clipboardData.getData("text").split(/[\n\r\t]+/);
      if (lines.length < 2) return;
      event.preventDefault();
      lines.forEach(add);
    },
    oninput: () => input.setCustomValidity(""),
  });
  const texts = (items) => items.map((item) => (item instanceof Num ? item.text : item));
  const fresh = async () => {
    const type = state.numbers ? "number" : "string";
    return (await known()).filter((each) => typeof each === type && !texts(items).includes(state.numbers ? String(each) : each));
  };
  const list = known ? suggest({ input, box: chips, options: fresh, pick: (option) => (add(option.label), input.focus()) }) : null;
  function add(text) {
    const written = text.trim();
    if (!written) return;
    if (state.numbers && !isNumber(written)) {
      input.setCustomValidity("Write a number such as 10 or 2.5.");
      input.reportValidity();
      return;
    }
    items.push(state.numbers ? new Num(written) : written);
    input.value = "";
    store();
    draw();
  }
  function remove(index) {
    items.splice(index, 1);
    store();
    draw();
    input.focus();
  }
  function draw() {
    input.placeholder = items.length ? "Add another" : "Add a value, then Enter";
    chips.replaceChildren(...items.map((item, index) => chip(item, () => remove(index))), input, ...(list ? [list] : []));
  }
  draw();
  const kind = select({
    value: numbers ? "number" : "text",
    options: [
      ["text", "Texts"],
      ["number", "Numbers"],
    ],
    class: "ce-select ce-kind",
    "aria-label": `Type of what is added: ${label}`,
    onchange: () => (state.numbers = kind.value === "number"),
  });
  return mixed ? typed(kind, chips) : chips;
}

function chip(item, remove) {
  const text = typeof item === "string" && item.trim() ? item : write(item);
  return h(
    "span",
    { class: typeof item === "string" ? "ce-chip" : "ce-chip ce-chip-json", role: "listitem" },
    h("span", {}, text),
    button({ class: "ce-chip-remove", "aria-label": `Remove ${text}`, onclick: remove }, icon("close")),
  );
}
