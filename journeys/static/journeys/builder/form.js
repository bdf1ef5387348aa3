/* From the panel's form back to the journey file's JSON: a reader for each widget, by its name. */

const text = (root, part) => root.querySelector(`[data-part="${part}"]`)?.value.trim() ?? "";
/** What is typed into a value is meant as it is, with spaces. */
const raw = (root, part) => root.querySelector(`[data-part="${part}"]`)?.value ?? "";
const ticked = (root, part) => root.querySelector(`[data-part="${part}"]`)?.checked ?? false;

function compact(value) {
  return Object.fromEntries(Object.entries(value).filter(([, part]) => part !== undefined));
}

/** The rows of a list in a widget, without the blank one that is copied. */
export function rows(root, name) {
  const list = root.querySelector(`[data-rows="${name}"]`);
  return list ? [...list.children].filter((row) => row.matches("[data-row]")) : [];
}

/** The outcome of a branch that is no path's own. */
const RESERVED = { paths: ["else"], variants: [] };

/** What the paths or variants of a panel are called, row by row: by what is typed, or by their old name
    while that is nothing, is what another row is called, or is taken; "" for a new row without a name
    of its own. */
export function namesOf(panel, kind) {
  const list = rows(panel, kind);
  const wishes = list.map((row) => text(row, "name"));
  const free = (wish) => wish && !RESERVED[kind].includes(wish) && wishes.filter((one) => one === wish).length === 1;
  const kept = list.map((row, number) => (free(wishes[number]) ? null : (row.dataset.old ?? "")));
  // A name that some row still has is no other's, however it is typed.
  return list.map((row, number) => {
    if (kept[number] !== null) return kept[number];
    return kept.includes(wishes[number]) ? (row.dataset.old ?? "") : wishes[number];
  });
}

/** What is to be said at rows whose typed name is not theirs: pairs of a row and a sentence. */
export function misnamed(panel, kind) {
  const names = namesOf(panel, kind);
  const said = (wish, name) => {
    const still = name ? ` Until then it is still called “${name}”.` : "";
    if (!wish) return `Give it a name.${still}`;
    if (RESERVED[kind].includes(wish)) return `“${wish}” is the way of all others: give it another name.${still}`;
    return `Another one is called “${wish}”: give it a name of its own.${still}`;
  };
  return rows(panel, kind)
    .map((row, number) => [row, text(row, "name"), names[number]])
    .filter(([, wish, name]) => wish !== name)
    .map(([row, wish, name]) => [row, said(wish, name)]);
}

/** A duration: `3d`, or its text; undefined where nothing is given. */
export function duration(root) {
  const box = root?.matches?.("[data-duration]") ? root : root?.querySelector("[data-duration]");
  if (!box) return undefined;
  const sign = text(box, "sign");
  const minus = sign === "before" ? "-" : "";
  if (sign === "on") return undefined;
  const whole = text(box, "text");
  if (whole) return `${minus}${whole}`;
  const count = text(box, "count");
  if (!count) return undefined;
  return `${minus}${count}${text(box, "unit")}`;
}

/** A condition from its editor's text; undefined where there is none. */
export function condition(root) {
  const source = root?.querySelector("textarea");
  if (!source || !source.value.trim()) return undefined;
  try {
    return JSON.parse(source.value);
  } catch {
    return undefined;
  }
}

function typed(type, written) {
  if (type === "number") return written.trim() && Number.isFinite(Number(written)) ? Number(written) : written;
  if (type === "boolean") return !["false", "no", "0", ""].includes(written.toLowerCase());
  if (type === "remove") return null;
  if (type !== "json") return written;
  try {
    return JSON.parse(written);
  } catch {
    return written;
  }
}

function where(root) {
  const written = root.querySelector('[data-part="where"]')?.value.trim();
  if (!written) return undefined;
  try {
    return JSON.parse(written);
  } catch {
    return written;
  }
}

/** What looks like JSON is JSON, but for text that the file had as text. */
function body({ value, dataset }) {
  if (!value || value === dataset.written || !/^\s*[[{]/.test(value)) return value || undefined;
  try {
    return JSON.parse(value);
  } catch {
    return value;
  }
}

export const readers = {
  text: (root) => text(root, "value") || undefined,
  body: (root) => body(root.querySelector('[data-part="value"]')),
  choice: (root) => text(root, "value") || undefined,
  slug: (root) => text(root, "value") || undefined,
  flag: (root) => {
    const box = root.querySelector('[data-part="value"]');
    return box.checked || (box.dataset.written === "false" ? false : undefined);
  },
  duration,
  condition,
  event: (root) => {
    const timeout = duration(root.querySelector("[data-timeout]"));
    return compact({ event: text(root, "event"), where: where(root), timeout });
  },
  date: (root) =>
    compact({
      attribute: text(root, "attribute"),
      offset: duration(root.querySelector("[data-offset]")),
      at: text(root, "at") || undefined,
      yearly: ticked(root, "yearly") || undefined,
    }),
  window: (root) => {
    const days = [...root.querySelectorAll("[data-day]")];
    const open = days.filter((day) => day.checked).map((day) => day.dataset.day);
    const written = JSON.parse(root.querySelector("[data-written]").dataset.written);
    const as = (list) => [...list].sort().join();
    const untouched = as(open) === as(written ?? days.map((day) => day.dataset.day));
    return compact({
      days: untouched ? (written ?? undefined) : open,
      from: text(root, "from") || undefined,
      to: text(root, "to") || undefined,
    });
  },
  paths: (root) => {
    const names = namesOf(root, "paths");
    return rows(root, "paths").map((row, number) => compact({ name: names[number], when: condition(row) }));
  },
  variants: (root) => {
    const names = namesOf(root, "variants");
    const shares = rows(root, "variants").map((row, number) => [names[number], Math.trunc(Number(text(row, "weight")) || 0)]);
    return Object.fromEntries(shares.filter(([name]) => name));
  },
  changes: (root) =>
    Object.fromEntries(
      rows(root, "changes")
        .filter((row) => text(row, "name"))
        .map((row) => [text(row, "name"), typed(text(row, "type"), raw(row, "value"))]),
    ),
  headers: (root) => {
    const found = rows(root, "headers")
      .filter((row) => text(row, "name"))
      .map((row) => [text(row, "name"), raw(row, "value")]);
    return found.length ? Object.fromEntries(found) : undefined;
  },
};

/** One setting's value; undefined where it is left out of the file. */
export function setting(field) {
  return readers[field.dataset.widget]?.(field);
}

/** The settings of a node: all, or the one that is chosen. */
export function nodeConfig(panel) {
  const way = panel.querySelector('input[name="jb-way"]:checked')?.value;
  const config = {};
  for (const field of panel.querySelectorAll("[data-setting]")) {
    const name = field.dataset.setting;
    if (way && name !== way) continue;
    let value = setting(field);
    if (way && value === undefined) value = "";
    if (value !== undefined) config[name] = value;
  }
  return config;
}

/** The outcomes that were renamed since they were read last: old name to new name. A path that had
    none is led by "". */
export function renamedOutcomes(panel) {
  const renamed = {};
  for (const kind of ["paths", "variants"]) {
    const list = rows(panel, kind);
    const before = list.map((row) => row.dataset.old);
    namesOf(panel, kind).forEach((name, number) => {
      const old = before[number];
      const shared = before.filter((one) => one === old).length > 1;
      if (old !== undefined && name && old !== name && !shared) renamed[old] = name;
      list[number].dataset.old = name || old;
    });
  }
  return renamed;
}

const shown = (panel, id) => panel.querySelector(`#${id}`)?.checked;

/** The parts of the draft that the panel of the start holds; undefined: left out. */
export function entryParts(panel) {
  const field = (name) => panel.querySelector(`[data-setting="${name}"]`);
  const way = panel.querySelector('input[name="jb-trigger"]:checked')?.value;
  const triggers = {
    event: () =>
      compact({
        ...setting(field("event")),
        key: panel.querySelector("[data-part-key]").value.trim() || undefined,
      }),
    segment: () => ({ segment: setting(field("segment")) ?? "" }),
    date: () => {
      const { attribute, ...rest } = setting(field("date"));
      return { date: attribute, ...rest };
    },
    manual: () => ({ manual: true }),
  };
  const rule = panel.querySelector("#jb-reentry").value;
  const pause = duration(panel.querySelector("#jb-pause"));
  const goal = panel.querySelector("#jb-goal").value;
  const goals = {
    event: () => setting(field("goal")),
    condition: () => condition(panel.querySelector('[data-goal="condition"]')) ?? { all: [] },
  };
  return {
    entry: compact({
      trigger: way ? triggers[way]() : undefined,
      filter: shown(panel, "jb-has-filter")
        ? (condition(panel.querySelector('[data-shown-by="jb-has-filter"]')) ?? { all: [] })
        : undefined,
      reentry: rule === "after" ? { after: pause ?? "30d" } : rule,
    }),
    goal: goals[goal]?.(),
    exit_when: shown(panel, "jb-has-exit")
      ? (condition(panel.querySelector('[data-shown-by="jb-has-exit"]')) ?? { any: [] })
      : undefined,
    window: shown(panel, "jb-has-window") ? setting(field("window")) : undefined,
    name: panel.querySelector("#jb-name").value.trim() || undefined,
    description: panel.querySelector("#jb-description").value.trim() || undefined,
  };
}
