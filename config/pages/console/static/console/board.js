// The order board: asked every few seconds and merged ticket by ticket, so that nothing moves under a finger.

const EVERY_MS = 5000;
const ALARM_MS = 10000;
const MUTED_MS = 120000;
const board = document.getElementById("board");
let [held, asking, mutedUntil, lostSince] = [false, false, 0, 0];

document.addEventListener("pointerdown", () => { held = true; }, { passive: true });
for (const name of ["pointerup", "pointercancel"]) document.addEventListener(name, () => { setTimeout(() => { held = false; }, 300); }, { passive: true });

function sound(name) {
  document.dispatchEvent(new CustomEvent("please-sound", { detail: name }));
}

function merge(html) {
  const fresh = new DOMParser().parseFromString(html, "text/html").getElementById("board");
  if (!fresh) return false;
  let isNew = false;
  for (const column of fresh.querySelectorAll(".board-column")) {
    const here = document.getElementById(column.id).querySelector(".tickets");
    const tickets = [...column.querySelectorAll("article")];
    for (const ticket of tickets) {
      const known = document.getElementById(ticket.id);
      if (!known && ticket.dataset.state.startsWith("confirmed")) isNew = true;
      if (known && known.dataset.state === ticket.dataset.state && here.contains(known)) continue;
      const arriving = document.importNode(ticket, true);
      if (known && here.contains(known)) known.replaceWith(arriving);
      else {
        known?.remove();
        here.append(arriving);
      }
      htmx.process(arriving);
    }
  }
  const ids = new Set([...fresh.querySelectorAll("article")].map((ticket) => ticket.id));
  for (const ticket of board.querySelectorAll("article")) if (!ids.has(ticket.id)) ticket.remove();
  for (const column of board.querySelectorAll(".board-column")) {
    const count = column.querySelectorAll("article").length;
    for (const place of document.querySelectorAll(`[data-count-of="${column.id}"]`)) place.textContent = count;
    const tickets = column.querySelector(".tickets");
    if (!count) tickets.replaceChildren();
  }
  for (const id of ["board-error", "board-pause"]) {
    const [here, there] = [document.getElementById(id), fresh.querySelector(`#${id}`)];
    if (Boolean(here.firstElementChild) === Boolean(there.firstElementChild) && id === "board-pause") continue;
    here.replaceChildren(...there.childNodes);
    htmx.process(here);
  }
  if (isNew) sound("order");
  return true;
}

async function ask() {
  if (asking || held || document.hidden || document.querySelector("#sheet-place > *")) return;
  asking = true;
  try {
    const answer = await fetch(board.dataset.url, { headers: { Accept: "text/html" }, redirect: "follow" });
    if (answer.redirected) location.reload();
    else if (answer.ok) {
      merge(await answer.text());
      lostSince = 0;
      hexiao.reached();
    } else throw new Error(answer.status);
  } catch {
    lostSince ||= Date.now();
    hexiao.unreached();
  } finally {
    asking = false;
  }
}

document.addEventListener("htmx:afterRequest", ({ detail: { elt, xhr } }) => {
  if (elt.closest?.("#board, #sheet-place") && xhr.responseText?.includes('id="board"')) merge(xhr.responseText);
});

document.addEventListener("click", (event) => {
  const tab = event.target.closest("[data-shows]");
  if (tab) {
    for (const one of document.querySelectorAll("[data-shows]")) {
      const isThis = one === tab;
      one.setAttribute("aria-pressed", isThis);
      one.classList.toggle("is-act", isThis);
      one.classList.toggle("is-line", !isThis);
      document.getElementById(one.dataset.shows).classList.toggle("is-shown", isThis);
    }
  }
  const mute = event.target.closest("#mute");
  if (mute) {
    mutedUntil = mutedUntil > Date.now() ? 0 : Date.now() + MUTED_MS;
    sayMuted();
  }
});

function sayMuted() {
  const mute = document.getElementById("mute");
  const isMuted = mutedUntil > Date.now();
  mute.setAttribute("aria-pressed", isMuted);
  mute.querySelector("span").textContent = isMuted ? mute.dataset.off : mute.dataset.on;
}

if (board) {
  setInterval(ask, EVERY_MS);
  setInterval(() => {
    sayMuted();
    if (mutedUntil < Date.now() && board.querySelector(".is-late")) sound("order");
  }, ALARM_MS);
  document.addEventListener("countdown-over", ask);
}
