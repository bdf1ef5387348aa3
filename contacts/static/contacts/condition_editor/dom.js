// Elements, in few words.

let last = 0;

/** An id that no other element of the page has. */
export const newId = (what) => `ce-${what}-${++last}`;

/** An element. Keys that begin with "on" are listeners; true and false set and leave out. */
export function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [key, value] of Object.entries(properties)) {
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (key === "value") element.value = value;
    else if (value === true) element.setAttribute(key, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(key, value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== ""));
  return element;
}

/** A symbol of the admin's own font, for the eye only. */
export const icon = (name) =>
  h("span", { class: "material-symbols-outlined ce-icon", "aria-hidden": "true" }, name);

let pressed = false;
addEventListener("pointerdown", () => (pressed = true), true);
for (const end of ["pointerup", "pointercancel", "dragend"]) addEventListener(end, () => (pressed = false), true);

/** When no button of the mouse is down: what moves under a mouse that is being clicked is missed. */
export const released = () =>
  pressed ? new Promise((done) => addEventListener("pointerup", () => setTimeout(done), { capture: true, once: true })) : Promise.resolve();

/** A button that never sends the form. */
export const button = (properties, ...children) => h("button", { type: "button", ...properties }, ...children);

/** A select over [value, words] pairs; a value that is not among them is added at the end. */
export function select({ value, options, ...properties }) {
  const known = options.some(([each]) => each === value);
  const all = known || value === undefined ? options : [...options, [value, String(value)]];
  const element = h(
    "select",
    { class: "ce-select", ...properties },
    all.map(([each, words]) => h("option", { value: each }, words)),
  );
  if (value !== undefined) element.value = value;
  return element;
}
