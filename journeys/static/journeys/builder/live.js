/* Live numbers on the cards: who waits, who went through, and what became of the mails. */

import { element } from "./dom.js";

const EVERY = 10_000;
const short = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });
const share = (part, whole) => (whole ? `${Math.round((100 * part) / whole)} %` : "");

export class Live {
  constructor(builder) {
    this.builder = builder;
    this.period = builder.root.querySelector("[data-period]");
    this.numbers = null;
    this.period?.addEventListener("change", () => this.refresh());
    document.addEventListener("visibilitychange", () => !document.hidden && this.refresh());
    setInterval(() => !document.hidden && this.refresh(), EVERY);
    this.refresh();
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
      // On the map the arrows lead from card to card; in the list Tab leads to everything.
      if (box.closest("[data-list]")) for (const link of box.querySelectorAll("a")) link.removeAttribute("tabindex");
    }
    for (const label of builder.root.querySelectorAll("[data-count-of]")) {
      const { countOf, outcome } = label.dataset;
      const count = numbers.nodes[countOf]?.outcomes[outcome];
      label.dataset.count = count ? short.format(count) : "";
    }
  }

  people(text, title, query, kind = "") {
    const url = `${this.numbers.people}?journey=${this.numbers.journey}&${query}`;
    const link = element("a", { href: url, class: `jb-number ${kind}`, title, tabindex: "-1" }, [text]);
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
    const parts = [this.people(`${short.format(entered)} entered`, "Entered in this period", "")];
    const turned = Object.values(refused).reduce((sum, count) => sum + count, 0);
    if (turned) parts.push(element("span", { class: "jb-number jb-quiet" }, [`${short.format(turned)} refused`]));
    return parts;
  }

  node(key) {
    const one = this.numbers.nodes[key];
    if (!one) return [element("span", { class: "jb-number jb-quiet" }, ["nobody yet"])];
    const at = encodeURIComponent(key);
    const parts = [];
    if (one.waiting) {
      const said = `${short.format(one.waiting)} here`;
      parts.push(this.people(said, "Stand here now", `node=${at}`, "jb-here"));
    }
    const mail = one.messages;
    const failed = one.failed + (mail.failed ?? 0) + (mail.uncertain ?? 0);
    const troubles = [
      [failed, "failed", "Failed passages and mails, and mails of which it is uncertain whether they were sent"],
      [mail.bounced, "bounced", `${mail.bounced} of ${mail.sent} sent mails came back`],
    ];
    for (const [count, word, title] of troubles) {
      if (count) parts.push(this.people(`${short.format(count)} ${word}`, title, `through=${at}`, "jb-failed"));
    }
    if (!mail.sent) {
      const went = Object.values(one.outcomes).reduce((sum, count) => sum + count, 0);
      parts.push(this.people(`${short.format(went)} through`, "Came here in this period and went on to the next step", `through=${at}:@on`));
    } else {
      parts.push(
        this.people(`${short.format(mail.sent)} sent`, "Sent in this period", `through=${at}`),
        // What bounced is the other side of what was delivered, and a card has room for one of them.
        ...(mail.bounced ? [] : [this.rate("done_all", "delivered", mail)]),
        this.rate("drafts", "opened", mail),
        this.rate("ads_click", "clicked", mail),
      );
    }
    if (one.goal) {
      const said = `${short.format(one.goal)} reached the goal`;
      parts.push(this.people(said, "Left the journey here because they reached its goal", `through=${at}:@goal`));
    }
    return parts;
  }
}
