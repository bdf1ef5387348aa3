// Moving rows and groups about: up, down, into a group, and out of it.
//
// A row goes through a condition as the eye does: up past a row, into the end of a group above, and
// out of the top of its own group. A group passes other groups by. What does not change keeps its
// place in the text as it was written.

import { asGroup, makeGroup } from "./groups.js";

/** The tree of a condition. A leaf has no items; the outermost is always a group. */
function outline(value, catalogue) {
  const read = (node) => {
    const found = asGroup(node, catalogue);
    return found ? { node, mode: found.mode, listed: found.listed, items: found.items.map(read) } : { node };
  };
  const root = read(value);
  return root.items ? root : { node: undefined, mode: "all", listed: false, items: [root] };
}

/** The node of a tree: the very same where nothing in it changed. */
function written(tree, root = false) {
  if (!tree.items) return tree.node;
  const items = tree.items.map((item) => written(item));
  if (tree.node !== undefined && tree.before?.length === items.length && tree.before.every((each, index) => each === items[index])) return tree.node;
  if (root && tree.mode === "all" && items.length < 2) return items[0];
  if (tree.mode === "none" && items.length === 1 && !tree.listed) return new Map([["not", items[0]]]);
  return makeGroup(tree.mode, items);
}

function remember(tree) {
  if (!tree.items) return;
  tree.before = tree.items.map((item) => item.node);
  tree.items.forEach(remember);
}

/** The groups on the way to a node, from the outermost on; null where it is not in the tree. */
function wayTo(node, tree) {
  for (const item of tree.items ?? []) {
    if (item.node === node) return [tree];
    const rest = wayTo(node, item);
    if (rest) return [tree, ...rest];
  }
  return null;
}

const STEPS = {
  up: { by: -1, enter: (group, item) => group.items.push(item), leave: 0 },
  down: { by: 1, enter: (group, item) => group.items.unshift(item), leave: 1 },
};

function step(way, index, { by, enter, leave }) {
  const parent = way.at(-1);
  const above = way.at(-2);
  const [item] = parent.items.splice(index, 1);
  const next = by < 0 ? parent.items[index - 1] : parent.items[index];
  if (next && next.items && !item.items) enter(next, item);
  else if (next) parent.items.splice(index + by, 0, item);
  else {
    const at = above.items.indexOf(parent);
    // A group that nothing is left in would be true of everybody, or of nobody.
    above.items.splice(at + (parent.items.length ? leave : 0), parent.items.length ? 0 : 1, item);
  }
}

function wrap(way, index) {
  const parent = way.at(-1);
  const mode = parent.mode === "all" ? "any" : "all";
  parent.items[index] = { node: undefined, mode, listed: true, items: [parent.items[index]] };
}

/** Whether a node can be moved so: "up", "down", or "wrap" into a group of its own. */
export function mayMove(value, node, how, catalogue) {
  const root = outline(value, catalogue);
  const way = wayTo(node, root);
  if (!way) return false;
  const { items } = way.at(-1);
  if (how === "wrap") return items.length > 1;
  const index = items.findIndex((item) => item.node === node);
  return way.length > 1 || Boolean(items[index + STEPS[how].by]);
}

/** The condition after the move. */
export function moved(value, node, how, catalogue) {
  const root = outline(value, catalogue);
  remember(root);
  const way = wayTo(node, root);
  const index = way.at(-1).items.findIndex((item) => item.node === node);
  if (how === "wrap") wrap(way, index);
  else step(way, index, STEPS[how]);
  return written(root, true);
}
