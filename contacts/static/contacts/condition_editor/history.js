// What a condition was before, to go back to it.

const MOST = 100;
/** Milliseconds in which what is typed into one field is one change. */
const TOGETHER = 2000;

export class History {
  constructor() {
    this.past = [];
    this.future = [];
  }

  /** Note that a text is about to change. */
  note(text) {
    const field = document.activeElement;
    const typing = field?.matches("input[type=text], textarea") && field === this.field && Date.now() - this.at < TOGETHER;
    this.field = field;
    this.at = Date.now();
    this.future = [];
    if (typing) return;
    this.past.push(text);
    if (this.past.length > MOST) this.past.shift();
  }

  /** The text before this one, or after it; undefined where there is none. */
  back(text) {
    return this.step(this.past, this.future, text);
  }

  forth(text) {
    return this.step(this.future, this.past, text);
  }

  step(from, to, text) {
    if (!from.length) return undefined;
    this.field = null;
    to.push(text);
    return from.pop();
  }
}
