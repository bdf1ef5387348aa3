/* Before publishing: the picture opens at the first change, and what becomes of the people who are on
   the way is summed up while one chooses. */

const selects = [...document.querySelectorAll("select[data-people]")];
const radios = [...document.querySelectorAll('[name="all"]')];
const sum = document.querySelector("[data-sum]");
const each = document.querySelector("[data-each]");
const people = (count) => `${count.toLocaleString("en")} ${count === 1 ? "person" : "people"}`;
const chosen = () => radios.find((radio) => radio.checked)?.value;

function show() {
  if (!sum) return;
  each.hidden = chosen() !== "each";
  const counts = { finish: 0, moved: 0, exit: 0 };
  let mails = 0;
  for (const select of selects) {
    const what = ["finish", "exit"].includes(select.value) ? select.value : "moved";
    const count = Number(select.dataset.people);
    const { mails: all, mailsEach } = select.selectedOptions[0].dataset;
    counts[what] += count;
    mails += Number(all ?? 0) + count * Number(mailsEach ?? 0);
  }
  const say = (count, one, many) => count && `${people(count)} ${count === 1 ? one : many}`;
  const parts = [
    say(counts.moved, "moves to the new version", "move to the new version"),
    say(counts.finish, "finishes on the old one", "finish on the old one"),
    say(counts.exit, "leaves the journey", "leave the journey"),
  ].filter(Boolean);
  const sent = mails ? ` Up to ${mails.toLocaleString("en")} ${mails === 1 ? "mail is" : "mails are"} sent at once.` : "";
  sum.textContent = parts.length ? `${parts.join(", ")}.${sent}` : "";
}

function choose() {
  for (const select of selects) {
    if (chosen() === "finish") select.value = "finish";
    if (chosen() === "everybody") select.value = select.dataset.move;
  }
  show();
}

/** Bring the first card that is other into the middle of the picture. */
function openAtFirstChange() {
  const still = document.querySelector(".jb-still");
  const marked = still?.querySelector(".jb-added, .jb-changed, .jb-removed");
  const shown = marked ?? still?.querySelector(".jb-card");
  if (!shown) return;
  const [room, card] = [still.getBoundingClientRect(), shown.getBoundingClientRect()];
  still.scrollLeft += card.left + card.width / 2 - room.left - room.width / 2;
  if (marked) still.scrollTop += card.top + card.height / 2 - room.top - room.height / 2;
}

for (const select of selects) select.addEventListener("change", show);
for (const radio of radios) radio.addEventListener("change", choose);
choose();
openAtFirstChange();
