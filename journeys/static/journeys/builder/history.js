/* Undo and redo: the drafts before and after. Changes of one kind in quick succession are one. */

const MOST = 100;
const QUICK = 1500;

export class History {
  constructor(draft) {
    this.past = [];
    this.future = [];
    this.present = draft;
    this.last = { kind: "", at: 0 };
  }

  /** Note a new draft. `kind` names what is one change while it goes on, such as typing. */
  push(draft, kind = "") {
    const now = Date.now();
    const same = kind && kind === this.last.kind && now - this.last.at < QUICK;
    if (!same) this.past.push(this.present);
    if (this.past.length > MOST) this.past.shift();
    this.future = [];
    this.present = draft;
    this.last = { kind, at: now };
  }

  /** Put what the server made of the present in its place. */
  settle(draft) {
    this.present = draft;
  }

  undo() {
    if (!this.past.length) return null;
    this.future.push(this.present);
    this.present = this.past.pop();
    this.last = { kind: "", at: 0 };
    return this.present;
  }

  redo() {
    if (!this.future.length) return null;
    this.past.push(this.present);
    this.present = this.future.pop();
    this.last = { kind: "", at: 0 };
    return this.present;
  }
}
