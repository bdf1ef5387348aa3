// A template's page: one format is shown at a time, and the mail beside it follows what is written.
"use strict";

document.addEventListener("DOMContentLoaded", () => {
  const form = document.getElementById("template_form");
  const preview = document.querySelector(".m-preview");
  if (!form || !preview) return;
  const token = form.querySelector('[name="csrfmiddlewaretoken"]').value;
  const row = (name) => form.querySelector(`#id_${name}`)?.closest(".field-row, .field-line, .form-row");

  // Formats

  const formats = [...form.querySelectorAll('[name="written_in"]')];
  const written = () => formats.find((radio) => radio.checked)?.value || "markdown";
  const showFormat = () => {
    const chosen = written();
    for (const name of ["markdown", "mjml", "html"]) {
      const box = row(name);
      if (box) box.hidden = name !== chosen;
    }
    const lost = ["markdown", "mjml", "html"].filter(
      (name) => name !== chosen && form.elements[name]?.value.trim(),
    );
    note.hidden = !lost.length;
    if (lost.length) {
      const names = { markdown: "Markdown", mjml: "MJML", html: "HTML" };
      note.textContent = `What is written in ${lost.map((name) => names[name]).join(" and ")} goes when you save.`;
    }
  };
  const note = document.createElement("p");
  note.className = "m-lost";
  document.getElementById("id_written_in")?.after(note);
  formats.forEach((radio) => radio.addEventListener("change", () => { showFormat(); soon(); }));

  // Variables

  let last = form.elements.subject;
  form.addEventListener("focusin", (event) => {
    if (["subject", "markdown", "mjml", "html", "text"].includes(event.target.name)) last = event.target;
  });
  const chooser = document.getElementById("m-variables")?.content.cloneNode(true).firstElementChild;
  if (chooser) {
    note.after(chooser);
    chooser.querySelector("select").addEventListener("change", (event) => {
      if (!event.target.value) return;
      const field = last?.offsetParent ? last : form.elements[written()];
      field.focus();
      field.setRangeText(`{{ ${event.target.value} }}`, field.selectionStart, field.selectionEnd, "end");
      field.dispatchEvent(new Event("input", { bubbles: true }));
      event.target.value = "";
    });
  }

  // The mail

  const part = (name) => preview.querySelector(`[data-${name}]`);
  const data = () => {
    const sent = new FormData(form);
    const sample = preview.querySelector('[name="sample"]');
    if (sample) sent.set("sample", sample.value);
    return sent;
  };
  const ask = (address) =>
    fetch(address, { method: "POST", body: data(), headers: { "X-CSRFToken": token } });

  const showFrame = () => {
    // A frame that is new leaves no entry behind in the browser's history.
    const frame = document.createElement("iframe");
    frame.name = `mail-${Date.now()}`;
    frame.title = "The mail";
    frame.setAttribute("sandbox", "");
    frame.style.visibility = "hidden";
    part("stage").append(frame);
    const sender = document.createElement("form");
    Object.assign(sender, { method: "post", action: preview.dataset.frame, target: frame.name, hidden: true });
    for (const [name, value] of data()) {
      if (typeof value !== "string") continue;
      const field = document.createElement("textarea");
      field.name = name;
      field.value = value;
      sender.append(field);
    }
    document.body.append(sender);
    let begun = false;
    frame.addEventListener("load", () => {
      if (!begun) return;
      for (const old of [...part("stage").querySelectorAll("iframe")]) if (old !== frame) old.remove();
      frame.style.visibility = "";
    });
    begun = true;
    sender.submit();
    sender.remove();
  };

  const showProblems = (problems) => {
    const list = preview.querySelector(".m-problems");
    const names = { subject: "Subject", text: "Text", html: "HTML", mjml: "MJML", markdown: "Markdown" };
    list.replaceChildren(
      ...problems.map((problem) => {
        const item = document.createElement("li");
        item.className = problem.level === "error" ? "m-error" : "m-warning";
        const place = document.createElement("strong");
        place.textContent = names[problem.place] ? `${names[problem.place]}: ` : "";
        item.append(place, problem.message);
        return item;
      }),
    );
  };

  // A frame takes light or dark from its element. A mail without dark colours is turned round, as
  // mail programs do.

  let ownDark = false;
  const darkButton = part("dark");
  const showDark = () => {
    const dark = darkButton.getAttribute("aria-pressed") === "true";
    part("stage").dataset.scheme = dark ? (ownDark ? "dark" : "inverted") : "light";
    part("dark-note").hidden = !dark || ownDark;
  };
  darkButton.addEventListener("click", () => {
    const pressed = darkButton.getAttribute("aria-pressed") === "true";
    darkButton.setAttribute("aria-pressed", String(!pressed));
    showDark();
  });

  let asked = 0;
  let seen = false; // whether a mail was shown at all
  const show = async () => {
    const number = ++asked;
    let found;
    try {
      const answer = await ask(preview.dataset.preview);
      if (!answer.ok) return;
      found = await answer.json();
    } catch {
      return; // the next keystroke asks again
    }
    if (number !== asked) return;
    showProblems(found.problems);
    preview.classList.toggle("m-stale", seen && found.problems.some((problem) => problem.level === "error"));
    if (!found.shown_for) return;
    seen = true;
    part("subject").textContent = found.subject;
    part("text").textContent = found.text;
    part("shown-for").textContent = found.shown_for;
    preview.querySelector("#tab-html").disabled = !found.html;
    ownDark = found.dark;
    showDark();
    if (found.html) showFrame();
    else preview.querySelector("#tab-text").click();
  };
  let timer;
  const soon = () => {
    clearTimeout(timer);
    timer = setTimeout(show, 350);
  };
  form.addEventListener("input", soon);
  if (window.django?.jQuery) django.jQuery(preview).on("change", "select[name=sample]", show);

  part("send-test")?.addEventListener("click", async (event) => {
    const said = part("test-said");
    event.currentTarget.disabled = true;
    said.textContent = "Sending…";
    try {
      said.textContent = (await (await ask(preview.dataset.test)).json()).message;
    } catch {
      said.textContent = "It could not be sent. Is the server there?";
    }
    part("send-test").disabled = false;
  });

  showFormat();
  show();
});
