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

/** The cookie's, which a sign-in in another tab renews; else the page's. */
const token = () => document.cookie.match(/(?:^|; )csrftoken=([^;]+)/)?.[1] ?? document.querySelector("[data-csrf]")?.dataset.csrf ?? "";

/** What a request brings where the session has ended: the server leads to the page to sign in. */
const SIGNED_OUT = 401;

/** Send JSON; the response, whatever its status: 401 for who is signed out. Throws where the server
    can't be reached. */
export async function post(url, data) {
  const headers = { "Content-Type": "application/json", "X-CSRFToken": token() };
  return answered(await fetch(url, { method: "POST", headers, body: JSON.stringify(data) }));
}

/** Ask for something; the same as of `post` holds. */
export const get = async (url) => answered(await fetch(url));

const answered = (response) => (response.redirected ? new Response("", { status: SIGNED_OUT }) : response);

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
