/* Live numbers on the cards: who waits, who went through, and what became of the mails. */

import { element } from "./dom.js";

const EVERY = 10_000;
const short = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });
const share = (part, whole) => (whole ? `${Math.round((100 * part) / whole)} %` : "");

/** A card has room for so much: shares of mails give way, the delivered first, the opened last. */
function fit(box) {
  const rates = [...box.querySelectorAll(".jb-rate")];
  const leave = [rates.at(-3), rates.at(-1), rates.at(-2)];
  while (box.scrollWidth > box.clientWidth && leave.length) leave.shift()?.remove();
}

export class Live {
  constructor(builder) {
    this.builder = builder;
    this.period = builder.root.querySelector("[data-period]");
    this.numbers = null;
    this.period?.addEventListener("change", () => this.refresh());
    document.addEventListener("visibilitychange", () => !document.hidden && this.refresh());
    setInterval(() => !document.hidden && this.refresh(), EVERY);
    this.refresh();
    // Before, symbols are as wide as their names.
    document.fonts.ready.then(() => this.show());
  }

  async refresh() {
    const { builder } = this;
    const query = this.period ? `?period=${this.period.value}` : "";
    try {
      const response = await fetch(`${builder.urls.numbers}${query}`);
      if (!response.ok) return;
      this.numbers = await response.json();
    } catch {
      return;
    }
    builder.heard(this.numbers);
    this.show();
  }

  /** Write the numbers on the cards that are shown. */
  show() {
    const { numbers, builder } = this;
    if (!numbers || !builder.live) return;
    for (const box of builder.root.querySelectorAll("[data-numbers]")) {
      const key = box.dataset.numbers;
      box.replaceChildren(...(key === "@entry" ? this.entry() : this.node(key)));
      fit(box);
      // On the map the arrows lead from card to card; in the list Tab leads to everything.
      if (box.closest("[data-list]")) for (const link of box.querySelectorAll("a")) link.removeAttribute("tabindex");
    }
    for (const label of builder.root.querySelectorAll("[data-count-of]")) {
      const { countOf, outcome } = label.dataset;
      const count = numbers.nodes[countOf]?.outcomes[outcome];
      label.dataset.count = count ? short.format(count) : "";
    }
  }

  /** A number that leads to the rows it counts, where its reader may see them. */
  number(list, text, title, query = "", kind = "") {
    const url = this.numbers.lists[list];
    if (!url) return element("span", { class: `jb-number ${kind}`, title }, [text]);
    const href = query ? `${url}&${query}` : url;
    const link = element("a", { href, class: `jb-number ${kind}`, title, tabindex: "-1" }, [text]);
    link.addEventListener("click", (event) => event.stopPropagation());
    return link;
  }

  rate(symbol, what, mail) {
    const said = `${mail[what]} of ${mail.sent} sent mails were ${what}`;
    return element("span", { class: "jb-number jb-rate", title: said, role: "img", "aria-label": said }, [
      element("span", { class: "material-symbols-outlined", "aria-hidden": "true" }, [symbol]),
      share(mail[what], mail.sent),
    ]);
  }

  entry() {
    const { entered, refused } = this.numbers;
    const parts = [this.number("people", `${short.format(entered)} entered`, "Entered in this period")];
    const turned = Object.values(refused).reduce((sum, count) => sum + count, 0);
    const why = "Were not let in, in this period";
    if (turned) parts.push(this.number("refusals", `${short.format(turned)} refused`, why, "", "jb-quiet"));
    const gone = Object.entries(this.numbers.nodes).filter(([key, one]) => one.waiting && !this.builder.cards[key]);
    const left = gone.reduce((sum, [, one]) => sum + one.waiting, 0);
    if (left) {
      const said = "Stand at steps that are no longer in this draft; publishing asks what becomes of them";
      parts.push(element("span", { class: "jb-number jb-here", title: said }, [`${short.format(left)} at removed steps`]));
    }
    return parts;
  }

  node(key) {
    const one = this.numbers.nodes[key];
    if (!one) return [element("span", { class: "jb-number jb-quiet" }, ["nobody yet"])];
    const at = encodeURIComponent(key);
    const people = (count, word, title, query, kind) =>
      count ? [this.number("people", `${short.format(count)} ${word}`, title, query, kind)] : [];
    return [
      ...people(one.waiting, "here", "Stand here now", `node=${at}`, "jb-here"),
      ...people(one.failed, "failed", "Their passage failed here", `through=${at}:@failed`, "jb-failed"),
      ...(this.sends(one.messages) ? this.mails(one.messages, at) : [this.went(key, one, at)]),
      ...people(one.goal, "reached the goal", "Left the journey here because they reached its goal", `through=${at}:@goal`),
    ];
  }

  sends(mail) {
    return Object.values(mail).some((count) => count);
  }

  went(key, one, at) {
    if (this.builder.cards[key]?.kind === "exit") {
      return this.number("people", `${short.format(one.left)} left`, "Left the journey here in this period", `through=${at}`);
    }
    const went = Object.values(one.outcomes).reduce((sum, count) => sum + count, 0);
    const title = "Came here in this period and went on to the next step";
    return this.number("people", `${short.format(went)} through`, title, `through=${at}:@on`);
  }

  mails(mail, at) {
    const told = (what, title, kind) =>
      mail[what] ? [this.number("mails", `${short.format(mail[what])} ${what}`, title, `node=${at}&became=${what}`, kind)] : [];
    const troubles = [
      ...told("failed", "Could not be sent", "jb-failed"),
      ...told("uncertain", "Nobody knows whether they were sent", "jb-failed"),
      ...told("bounced", `${mail.bounced} of ${mail.sent} sent mails came back`, "jb-failed"),
    ];
    const skipped = told("skipped", "Were not sent, by the rules", "jb-quiet");
    if (!mail.sent) return [...troubles, ...skipped, ...told("queued", "Wait to be sent")];
    return [
      ...troubles,
      ...told("sent", "Sent in this period"),
      ...skipped,
      // What bounced is the other side of what was delivered.
      ...(mail.bounced ? [] : [this.rate("done_all", "delivered", mail)]),
      this.rate("drafts", "opened", mail),
      this.rate("ads_click", "clicked", mail),
    ];
  }
}
