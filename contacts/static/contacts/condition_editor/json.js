// JSON that survives being read and written: numbers keep their digits (JSON.parse turns 1.0 into 1
// and rounds long ones), and objects are Maps, which keep the order of keys such as "10" and "2".

const STRING = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y;
const NUMBER = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;
const BLANK = /[ \t\n\r]*/y;
const WORDS = { true: true, false: false, null: null };
const DEEPEST = 400;

/** A number by its digits. */
export class Num {
  constructor(text) {
    this.text = text;
  }
}

/** Whether the whole text is a number of JSON. */
export function isNumber(text) {
  NUMBER.lastIndex = 0;
  const match = NUMBER.exec(text);
  return match !== null && match[0] === text;
}

class Reader {
  constructor(text) {
    this.text = text;
    this.at = 0;
  }

  match(pattern) {
    pattern.lastIndex = this.at;
    const match = pattern.exec(this.text);
    if (match) this.at = pattern.lastIndex;
    return match ? match[0] : null;
  }

  take(token) {
    this.match(BLANK);
    const found = this.text.startsWith(token, this.at);
    if (found) this.at += token.length;
    return found;
  }

  fail() {
    const lines = this.text.slice(0, this.at).split("\n");
    throw new SyntaxError(`This is not JSON: look at line ${lines.length}, column ${lines.at(-1).length + 1}.`);
  }

  expect(token) {
    if (!this.take(token)) this.fail();
  }

  string() {
    this.match(BLANK);
    const token = this.match(STRING);
    if (token === null) this.fail();
    return JSON.parse(token);
  }

  value(depth) {
    if (depth > DEEPEST) this.fail();
    this.match(BLANK);
    const next = this.text[this.at];
    if (next === "{") return this.object(depth);
    if (next === "[") return this.array(depth);
    if (next === '"') return this.string();
    for (const [word, value] of Object.entries(WORDS)) if (this.take(word)) return value;
    const number = this.match(NUMBER);
    if (number === null) this.fail();
    return new Num(number);
  }

  object(depth) {
    const object = new Map();
    this.expect("{");
    if (this.take("}")) return object;
    do {
      const key = this.string();
      this.expect(":");
      object.set(key, this.value(depth + 1));
    } while (this.take(","));
    this.expect("}");
    return object;
  }

  array(depth) {
    const items = [];
    this.expect("[");
    if (this.take("]")) return items;
    do items.push(this.value(depth + 1));
    while (this.take(","));
    this.expect("]");
    return items;
  }
}

/** The value that a text writes: null, booleans, strings, Num, arrays, Maps. Throws SyntaxError. */
export function parse(text) {
  const reader = new Reader(text);
  const value = reader.value(0);
  reader.match(BLANK);
  if (reader.at < text.length) reader.fail();
  return value;
}

/** The text of such a value; with `indent`, long ones on lines of their own. */
export function write(value, indent = 0, margin = "") {
  if (value instanceof Num) return value.text;
  const entries =
    value instanceof Map
      ? [...value].map(([key, item]) => [`${JSON.stringify(key)}: `, item])
      : Array.isArray(value)
        ? value.map((item) => ["", item])
        : null;
  if (entries === null) return JSON.stringify(value);
  const [open, close] = value instanceof Map ? "{}" : "[]";
  const line = open + entries.map(([key, item]) => key + write(item)).join(", ") + close;
  if (!indent || (margin + line).length <= 80) return line;
  const inner = margin + " ".repeat(indent);
  const lines = entries.map(([key, item]) => inner + key + write(item, indent, inner));
  return `${open}\n${lines.join(",\n")}\n${margin}${close}`;
}

/** The same with objects and numbers of JavaScript, for those who do not mind the difference. */
export const plain = (value) => JSON.parse(write(value));

/** Back from `plain`. */
export const fromPlain = (value) => parse(JSON.stringify(value));
