/* Small makers of elements, and requests to the server. */

export function element(name, attributes = {}, children = []) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value !== undefined && value !== false) made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children);
  return made;
}

export function icon(name, kind = "") {
  const symbol = element("span", { class: "material-symbols-outlined", "aria-hidden": "true" }, [name]);
  return element("span", { class: "jb-icon", "data-kind": kind }, [symbol]);
}

const token = () => document.querySelector("[data-csrf]")?.dataset.csrf ?? "";

/** Send JSON; the response, whatever its status. Throws where the server can't be reached. */
export function post(url, data) {
  return fetch(url, {
    method: "POST",
    headers: { "Content-Type": "application/json", "X-CSRFToken": token() },
    body: JSON.stringify(data),
  });
}

/** A save's name and how to say a problem. */
export const sentence = (problem) => [problem.message, problem.hint].filter(Boolean).join(" ");

export function debounce(wait, act) {
  let timer = 0;
  const later = (...given) => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      timer = 0;
      act(...given);
    }, wait);
  };
  later.now = (...given) => {
    clearTimeout(timer);
    timer = 0;
    act(...given);
  };
  later.waits = () => timer !== 0;
  return later;
}

/** Ask in a dialog: `choices` are `{label, description, act, danger}`. */
export function ask(dialog, title, text, choices) {
  dialog.querySelector("[data-title]").textContent = title;
  dialog.querySelector("[data-text]").textContent = text;
  const buttons = choices.map(({ label, act, danger }) => {
    const button = element("button", { type: "button", class: danger ? "jb-button jb-danger" : "jb-button" }, [label]);
    button.addEventListener("click", () => {
      dialog.close();
      act?.();
    });
    return button;
  });
  dialog.querySelector("[data-choices]").replaceChildren(...buttons);
  dialog.showModal();
  buttons[0]?.focus();
}
