// The operator and the value of a comparison, for attributes and for `where`.

import { h, select } from "./dom.js";
import { kindOf, valueField } from "./values.js";
import { combobox } from "./combobox.js";

/** Operators that suit the kinds first, all others after them. */
function operatorOptions(catalogue, kinds, op) {
  const suits = (each) => !kinds.length || each.types.some((type) => kinds.includes(type));
  const near = catalogue.operators.filter(suits);
  const far = catalogue.operators.filter((each) => !suits(each));
  const options = (list) => list.map((each) => h("option", { value: each.name }, each.label));
  const known = catalogue.operators.some((each) => each.name === op);
  return [
    ...options(near),
    far.length ? h("optgroup", { label: "Other comparisons" }, options(far)) : null,
    known || typeof op !== "string" ? null : h("option", { value: op }, op),
  ];
}

/** What becomes of the value when another operator is chosen. */
function adapt(map, before, after, kinds) {
  const value = map.get("value");
  if (after === before || !map.has("value")) return start(map, after);
  if (after === "nothing") return map.delete("value");
  if (after === "list") return Array.isArray(value) || map.set("value", [value]);
  if (before === "list") {
    if (Array.isArray(value) && value.length) map.set("value", value[0]);
    else map.delete("value");
    return start(map, after);
  }
  if (after === "duration" || after === "moment") {
    map.delete("value");
    return start(map, after);
  }
  if (before === "duration" || before === "moment") return map.delete("value");
  const kind = kindOf(value, kinds, false);
  const fits = { ordered: ["number", "text", "date"], text: ["text", "date"], any: [kind] }[after];
  return fits.includes(kind) || map.delete("value");
}

function start(map, takes) {
  if (map.has("value")) return;
  if (takes === "duration") map.set("value", "7d");
  if (takes === "list") map.set("value", []);
}

/** The operator first offered for some kinds of value. */
export function firstOperator(catalogue, kinds) {
  const suits = (each) => !kinds.length || each.types.some((type) => kinds.includes(type));
  return (catalogue.operators.find(suits) ?? { name: "eq" }).name;
}

/** The operator and value fields of `map`; `known()` promises the values seen. */
export function comparison({ map, kinds, label, editor, mayTrigger, known }) {
  const { catalogue } = editor;
  const op = map.get("op");
  const takes = catalogue.operator(op)?.takes;
  const operator = h(
    "select",
    {
      class: "ce-select ce-op",
      "data-part": "op",
      "aria-label": `Operator: ${label}`,
      onchange: () => {
        const after = catalogue.operator(operator.value)?.takes;
        map.set("op", operator.value);
        const follows = mayTrigger && kindOf(map.get("value"), kinds, true) === "trigger";
        if (!follows || after === "nothing") adapt(map, takes, after, kinds);
        editor.changed();
        editor.redraw(map, "op");
      },
    },
    operatorOptions(catalogue, kinds, op),
  );
  operator.value = op ?? "";
  const trigger = mayTrigger ? (context) => triggerField(context, editor) : null;
  const again = () => editor.redraw(map, "value");
  const field = valueField({ map, takes, kinds, label, trigger, known, changed: editor.changed, redraw: again });
  return [operator, field].flat().filter(Boolean);
}

function triggerField({ value, set, label }, editor) {
  const event = typeof editor.scope.trigger === "string" ? editor.scope.trigger : "";
  return combobox({
    text: value.get("trigger"),
    label: `Property of the starting event: ${label}`,
    placeholder: "Property",
    "data-part": "value",
    options: async () => Object.keys(await editor.catalogue.properties(event)).map((name) => ({ label: name, value: name })),
    free: (text) => [{ label: text, value: text, section: "Not seen yet" }],
    pick: (option) => set(new Map([["trigger", option.value]])),
  });
}
