// The buttons at the end of a row and in the head of a group: move, put into a group, remove.

import { button, h, icon } from "./dom.js";
import { mayMove, moved } from "./moves.js";

const MOVES = [
  ["up", "Move up", "arrow_upward", "Alt+Shift+ArrowUp", "Alt+Shift+↑"],
  ["down", "Move down", "arrow_downward", "Alt+Shift+ArrowDown", "Alt+Shift+↓"],
  ["wrap", "Put into a group", "library_add", null, null],
];
const KEYS = { ArrowUp: "up", ArrowDown: "down" };

/** The buttons for the node of a slot; `what`: "row" or "group". */
export function actions(slot, editor, what) {
  const node = slot.get();
  const moves = MOVES.filter(([how]) => how !== "wrap" || what === "row").map(([how, label, symbol, keys, shown]) =>
    button(
      {
        class: "ce-action",
        "data-part": how,
        "aria-label": `${label}: this ${what}`,
        "aria-keyshortcuts": keys,
        title: shown ? `${label} (${shown})` : label,
        disabled: !mayMove(editor.value, node, how, editor.catalogue),
        onclick: () => move(editor, node, how, how),
      },
      icon(symbol),
    ),
  );
  const remove = button({ class: "ce-action ce-remove", "aria-label": `Remove this ${what}`, title: `Remove this ${what}`, onclick: () => slot.remove() }, icon("close"));
  return h("span", { class: "ce-actions" }, moves, remove);
}

/** Move a node, and leave the focus on `part` of it. */
function move(editor, node, how, part) {
  if (!mayMove(editor.value, node, how, editor.catalogue)) return;
  editor.value = moved(editor.value, node, how, editor.catalogue);
  editor.changed();
  editor.redraw(node, part);
}

/** Move the row or group that has the focus, where the keys say so. */
export function moveByKey(event, editor) {
  const how = event.altKey && event.shiftKey ? KEYS[event.key] : null;
  const place = how && event.target.closest(".ce-row:not(.ce-term), .ce-group:not(.ce-root)");
  const found = place && editor.noted.find(({ element }) => element === place);
  if (!found) return;
  event.preventDefault();
  event.stopPropagation();
  move(editor, found.node, how, event.target.dataset.part);
}
