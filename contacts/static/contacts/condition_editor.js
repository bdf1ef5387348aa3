// Turns each `data-condition-editor` of a page into rows, and lets other scripts make editors.

import { Editor } from "./condition_editor/editor.js";

/** What a page may do with an editor that it made. */
function handle(editor) {
  return {
    ready: editor.ready,
    get value() {
      return editor.plain();
    },
    get text() {
      return editor.text;
    },
    set: (value) => editor.set({ value }),
    remove: () => editor.frame.remove(),
  };
}

/** Make an editor of a condition in `element`. */
export const mount = (element, options = {}) => handle(new Editor(element, { ...options, where: false }));

/** Make an editor of a `where` in `element`: what the properties of one event must be. */
export const mountWhere = (element, options = {}) => handle(new Editor(element, { ...options, where: true }));

/** Put rows in the place of a widget's textarea, which keeps the text that the form sends. */
export function enhance(widget) {
  const source = widget.querySelector("textarea.ce-source");
  if (!source || widget.dataset.ready) return;
  widget.dataset.ready = "true";
  source.hidden = true;
  source.required = false; // a field that cannot be seen cannot be asked for; the server does it
  const label = document.querySelector(`label[for="${CSS.escape(source.id)}"]`);
  const editor = new Editor(widget, {
    ...JSON.parse(widget.dataset.conditionEditor),
    text: source.value,
    readOnly: source.disabled || source.readOnly,
    label: label?.textContent.trim().replace(/[:*\s]+$/, ""),
    onChange: (_, text) => {
      source.value = text;
      source.dispatchEvent(new Event("input", { bubbles: true }));
      source.dispatchEvent(new Event("change", { bubbles: true }));
    },
  });
  widget.conditionEditor = handle(editor);
}

const enhanceAll = (root) => root.querySelectorAll("[data-condition-editor]").forEach((widget) => {
  if (!widget.closest(".empty-form")) enhance(widget);
});

window.ConditionEditor = { mount, mountWhere, enhance };
enhanceAll(document);
document.addEventListener("formset:added", (event) => enhanceAll(event.target));
document.dispatchEvent(new CustomEvent("condition-editor:ready"));
