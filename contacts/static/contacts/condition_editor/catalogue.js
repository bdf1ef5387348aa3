// What is known to stand in a condition: names with their types, operators, things to pick from.

const TYPES = { text: "text", number: "number", boolean: "yes_no", date: "date", datetime: "date", list: "list" };
const TYPE_WORDS = { text: "text", number: "number", yes_no: "yes or no", date: "date", list: "list", object: "object" };
const NOTHING = { own: [], attributes: [], events: [], operators: [], picks: [] };
const asked = new Map();

/** The kinds of value that a form offers for the types seen: text, number, yes_no, date, list. */
export const kindsOf = (types = []) => [...new Set(types.map((type) => TYPES[type] ?? "object"))];

/** Those kinds as a person reads them. */
export const kindWords = (kinds) => kinds.map((kind) => TYPE_WORDS[kind]).join(", ");

/** The CSRF cookie's, which a sign-in in another tab renews; else that of a form of the page. */
function token() {
  return document.cookie.match(/(?:^|; )csrftoken=([^;]+)/)?.[1] ?? document.querySelector("[name=csrfmiddlewaretoken]")?.value ?? "";
}

async function ask(address, options = {}) {
  const answer = await fetch(address, { credentials: "same-origin", redirect: "error", ...options });
  if (!answer.ok) throw new Error(`${address}: ${answer.status}`);
  return answer.json();
}

/** Ask once a page, and again after a failure. */
function once(address) {
  if (!asked.has(address)) {
    asked.set(
      address,
      ask(address).catch((error) => {
        asked.delete(address);
        throw error;
      }),
    );
  }
  return asked.get(address);
}

/** What one editor may ask the server; everything works, with fewer suggestions, without it. */
export class Catalogue {
  constructor(endpoints = {}, scope = {}) {
    this.endpoints = endpoints;
    this.scope = scope;
    Object.assign(this, NOTHING);
  }

  async load() {
    if (!this.endpoints.names) return;
    Object.assign(this, await once(this.endpoints.names));
    this.operatorsByName = Object.fromEntries(this.operators.map((each) => [each.name, each]));
    this.ownByName = Object.fromEntries(this.own.map((each) => [each.name, each]));
    this.attributesByName = new Map([...this.attributes, ...this.own].map((each) => [each.name, each.types]));
  }

  operator(name) {
    return this.operatorsByName?.[name];
  }

  /** The label of an attribute: own fields have one. */
  attributeLabel(name) {
    return this.ownByName?.[name]?.label ?? name;
  }

  /** The properties seen in an event: name → types. */
  async properties(event) {
    if (!this.endpoints.properties || !event) return {};
    const address = `${this.endpoints.properties}?${new URLSearchParams({ event })}`;
    return once(address).then(
      (answer) => answer.properties,
      () => ({}),
    );
  }

  /** Values seen of `{attribute}` or of `{event, property}`: texts and numbers. */
  async values(query) {
    if (!this.endpoints.values || Object.values(query).some((each) => !each)) return [];
    return once(`${this.endpoints.values}?${new URLSearchParams(query)}`).then(
      (answer) => answer.values,
      () => [],
    );
  }

  /** What a form may name: [slug, name] pairs. */
  choices(pick) {
    if (pick.choices) return pick.choices;
    return Object.entries(this.scope.nodes ?? {}).map(([id, label]) => [id, label || id]);
  }

  /** Ask for words and problems ("check"), or for the number ("count"). */
  async question(what, body, signal) {
    if (!this.endpoints[what]) return null;
    const headers = { "Content-Type": "application/json", "X-CSRFToken": token() };
    return ask(this.endpoints[what], { method: "POST", headers, body: JSON.stringify(body), signal });
  }
}
