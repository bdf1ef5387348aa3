/* What one can do to a journey: pure functions from a draft to a new draft.

   `cards` is what the server last said of the nodes: their outcomes in order. A plain `next` in the
   draft serves every outcome, so it is spread out before one outcome is led elsewhere, and folded
   again where all lead to the same node. */

export const ENTRY = "@entry";

const copy = (value) => structuredClone(value);

/** The outcomes of a card, each with the key of the next node or null. */
export function targets(draft, cards, key) {
  if (key === ENTRY) return { start: draft.start ?? null };
  const next = draft.nodes[key]?.next;
  const found = {};
  for (const [outcome] of cards[key]?.outcomes ?? []) {
    found[outcome] = typeof next === "string" ? next : (next?.[outcome] ?? null);
  }
  if (next && typeof next === "object") {
    for (const outcome of Object.keys(next)) found[outcome] ??= next[outcome];
  }
  if (typeof next === "string" && !Object.keys(found).length) found.next = next;
  return found;
}

/** The draft in which outcomes of a card lead elsewhere: `{outcome: key or null}`. */
export function lead(draft, cards, key, changes) {
  const made = copy(draft);
  setTargets(made, key, { ...targets(draft, cards, key), ...changes });
  return made;
}

function setTargets(draft, key, ways) {
  if (key === ENTRY) {
    if (ways.start) draft.start = ways.start;
    else delete draft.start;
    return;
  }
  const node = draft.nodes[key];
  const ends = Object.values(ways);
  const led = Object.entries(ways).filter(([, target]) => target);
  if (!led.length) delete node.next;
  else if (led.length === ends.length && new Set(ends).size === 1) node.next = ends[0];
  else node.next = Object.fromEntries(led);
}

/** A key for a new node: the kind, then kind-2 and so on. */
export function freshKey(draft, wish, taken = []) {
  const used = new Set([...Object.keys(draft.nodes ?? {}), ...taken]);
  for (let number = 1; ; number += 1) {
    const key = number === 1 ? wish : `${wish}-${number}`;
    if (!used.has(key)) return key;
  }
}

/** Put a new node on a line or a loose end: `at` is `{source, outcomes, target}`. */
export function insert(draft, cards, at, key, node) {
  const made = copy(draft);
  made.nodes ??= {};
  made.nodes[key] = at.target ? { ...copy(node), next: at.target } : copy(node);
  return lead(made, cards, at.source, each(at.outcomes, key));
}

function each(outcomes, target) {
  return Object.fromEntries(outcomes.map((outcome) => [outcome, target]));
}

/** The different nodes that a node leads to. */
export function successors(draft, cards, key) {
  return [...new Set(Object.values(targets(draft, cards, key)).filter((one) => one && one !== key))];
}

/** All that can be reached from the start, or from `from`. */
export function reached(draft, cards, from = draft.start) {
  const seen = new Set();
  const todo = [from];
  while (todo.length) {
    const key = todo.pop();
    if (!key || seen.has(key) || !draft.nodes[key]) continue;
    seen.add(key);
    todo.push(...Object.values(targets(draft, cards, key)));
  }
  return seen;
}

/** Remove a node; what led to it leads to `instead`, or to nowhere. */
export function remove(draft, cards, key, instead = null) {
  const made = redirected(draft, cards, key, instead);
  delete made.nodes[key];
  return made;
}

function redirected(draft, cards, key, instead) {
  const made = copy(draft);
  for (const source of [ENTRY, ...Object.keys(draft.nodes)]) {
    if (source === key) continue;
    const ways = targets(draft, cards, source);
    if (!Object.values(ways).includes(key)) continue;
    for (const outcome of Object.keys(ways)) if (ways[outcome] === key) ways[outcome] = instead;
    setTargets(made, source, ways);
  }
  return made;
}

/** Remove a node and all that only it leads to. */
export function removeBranch(draft, cards, key) {
  const before = reached(draft, cards);
  const made = remove(draft, cards, key);
  const after = reached(made, cards);
  for (const one of Object.keys(made.nodes)) {
    if (before.has(one) && !after.has(one)) delete made.nodes[one];
  }
  return made;
}

/** Take a node with at most one successor out and put it on another line; the gap closes.

    What led back to the node itself still does, and an end that was open stays open beside one that
    led on. */
export function move(draft, cards, key, at) {
  if (at.source === key || at.target === key) return draft;
  const [next = null] = successors(draft, cards, key);
  const made = redirected(draft, cards, key, next);
  const ways = Object.entries(targets(draft, cards, key));
  const onward = ([, target]) => target !== key && (target || !next);
  setTargets(made, key, Object.fromEntries(ways.map((way) => [way[0], onward(way) ? (at.target ?? null) : way[1]])));
  return lead(made, cards, at.source, each(at.outcomes, key));
}

/** Whether people who come to a node, or to what is copied, can come out of it. */
export const leadsOn = (draft, cards, key) => Object.values(targets(draft, cards, key)).some((target) => target !== key);
export const clipLeadsOn = ({ nodes }) =>
  Object.values(nodes).some(({ outcomes, ways }) => outcomes.some((outcome) => !ways[outcome]));

/** Hang a whole branch elsewhere: the lines that led to it are loose, `at` leads to it. */
export function moveBranch(draft, cards, key, at) {
  if (reached(draft, cards, key).has(at.source)) return draft;
  const made = redirected(draft, cards, key, null);
  return lead(made, cards, at.source, each(at.outcomes, key));
}

/** A node, or all from it on, to be put elsewhere, also into another journey. */
export function clip(draft, cards, key, whole) {
  const keys = whole ? [...reached(draft, cards, key)] : [key];
  const nodes = {};
  for (const one of keys) {
    const { next, ...rest } = draft.nodes[one];
    const ways = targets(draft, cards, one);
    const inner = Object.entries(ways).filter(([, target]) => keys.includes(target));
    nodes[one] = {
      node: copy(rest),
      outcomes: Object.keys(ways),
      ways: whole ? Object.fromEntries(inner) : {},
    };
  }
  return { start: key, nodes };
}

/** Put a clip on a line or a loose end; its own loose ends lead on to where the line led, and what it
    asks about its own messages it asks about those of the copy. */
export function paste(draft, cards, at, clipped) {
  const made = copy(draft);
  made.nodes ??= {};
  const names = {};
  for (const key of Object.keys(clipped.nodes)) {
    names[key] = freshKey(made, key, Object.values(names));
  }
  for (const [key, { node, outcomes, ways }] of Object.entries(clipped.nodes)) {
    made.nodes[names[key]] = copy(node);
    renameMessages(made.nodes[names[key]], names);
    const ends = Object.fromEntries(
      outcomes.map((outcome) => [outcome, names[ways[outcome]] ?? at.target ?? null]),
    );
    setTargets(made, names[key], ends);
  }
  const start = names[clipped.start];
  return { draft: lead(made, cards, at.source, each(at.outcomes, start)), key: start };
}

/** Give a node other settings; `renamed` leads from old outcomes to new ones, `gone` is one that is
    no more. */
export function configure(draft, cards, key, config, renamed = {}, gone = null) {
  const made = copy(draft);
  const { kind, next } = draft.nodes[key];
  made.nodes[key] = { kind, ...config };
  if (next === undefined) return made;
  if (typeof next === "string") made.nodes[key].next = next;
  else {
    const taken = new Set(Object.values(renamed));
    // A name that another outcome takes over was given up before.
    const kept = Object.entries(next).filter(
      ([outcome]) => outcome !== gone && (Object.hasOwn(renamed, outcome) || !taken.has(outcome)),
    );
    const called = (outcome) => (Object.hasOwn(renamed, outcome) ? renamed[outcome] : outcome);
    if (kept.length) made.nodes[key].next = Object.fromEntries(kept.map(([outcome, to]) => [called(outcome), to]));
  }
  return made;
}

/** Give a node another key, everywhere it is named. */
export function rename(draft, old, key) {
  if (old === key || !key || draft.nodes[key]) return draft;
  const made = copy(draft);
  made.nodes = Object.fromEntries(
    Object.entries(made.nodes).map(([one, node]) => [one === old ? key : one, node]),
  );
  if (made.start === old) made.start = key;
  for (const node of Object.values(made.nodes)) {
    if (node.next === old) node.next = key;
    else if (node.next && typeof node.next === "object") {
      for (const outcome of Object.keys(node.next)) {
        if (node.next[outcome] === old) node.next[outcome] = key;
      }
    }
  }
  renameMessages(made, { [old]: key });
  return made;
}

/** Let conditions about messages of nodes mean others: `names` leads from old keys to new ones. */
function renameMessages(value, names) {
  if (!value || typeof value !== "object") return;
  if (!Array.isArray(value) && "did" in value && Object.hasOwn(names, value.message)) value.message = names[value.message];
  for (const inner of Object.values(value)) renameMessages(inner, names);
}

/** The lines of waits in `draft` that are no more in `tidied`, where their outcomes are not left:
    `{key: {outcome: target}}`. A timeout that is typed anew gets its line back by them. */
export function lostLines(draft, tidied, cards) {
  const found = {};
  for (const [key, { kind, next }] of Object.entries(draft.nodes ?? {})) {
    if (kind !== "wait" || !next || typeof next !== "object" || !tidied.nodes[key]) continue;
    const left = new Set((cards[key]?.outcomes ?? []).map(([outcome]) => outcome));
    const lost = Object.entries(next).filter(([outcome]) => !left.has(outcome));
    if (lost.length) found[key] = Object.fromEntries(lost);
  }
  return found;
}
