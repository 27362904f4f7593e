// What every page does: it keeps a second tap, a lost network and an ended session from losing anything.
//
//   <form hx-post data-once="name">    carries a key made here, kept over retries, new when its content changes
//   <form hx-post data-retry>          sent again by itself, with the same key, when the network was away
//   <time data-until data-now>         ticks by the server's clock, sends `countdown-over` at zero
//   <x data-focus>                     takes the focus when it arrives

const TOAST_MS = 6000;
const RETRY_MS = [1000, 2000, 4000, 8000];
const bar = () => document.getElementById("bar-offline");

function cookie(name) {
  const found = document.cookie.split("; ").find((one) => one.startsWith(`${name}=`));
  return found ? decodeURIComponent(found.slice(name.length + 1)) : "";
}

function newKey() {
  // randomUUID is there under https only; a till may speak plain http in a shop's own network.
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 15) | 64;
  bytes[8] = (bytes[8] & 63) | 128;
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

// --- one key for one content --------------------------------------------------------------------

const memory = {
  get: (name) => {
    try { return JSON.parse(sessionStorage.getItem(`once:${name}`)); } catch { return null; }
  },
  set: (name, value) => {
    try { sessionStorage.setItem(`once:${name}`, JSON.stringify(value)); } catch { /* full or forbidden: the form itself still holds it */ }
  },
  drop: (name) => {
    try { sessionStorage.removeItem(`once:${name}`); } catch { /* as above */ }
  },
};

function contentOf(parameters) {
  return JSON.stringify([...parameters.entries()].filter(([name]) => name !== "key" && name !== "csrfmiddlewaretoken"));
}

function keyFor(form, parameters) {
  const content = contentOf(parameters);
  const kept = form.heldOnce || memory.get(form.dataset.once);
  const once = kept && kept.content === content ? kept : { content, key: newKey() };
  form.heldOnce = once;
  memory.set(form.dataset.once, once);
  return once.key;
}

function answered(form) {
  if (form?.dataset?.once) {
    memory.drop(form.dataset.once);
    form.heldOnce = null;
  }
}

// --- busy ----------------------------------------------------------------------------------------

function buttonsOf(element) {
  if (element.matches?.("button, a")) return [element];
  return [...(element.querySelectorAll?.("button[type=submit], button:not([type])") ?? [])];
}

function busy(element, isBusy) {
  for (const button of buttonsOf(element)) {
    if (isBusy) button.setAttribute("aria-busy", "true");
    else button.removeAttribute("aria-busy");
  }
}

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.matches("[hx-post], [hx-get]")) return;
  if (form.dataset.sent) event.preventDefault();
  form.dataset.sent = "1";
  busy(form, true);
});
window.addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[data-sent]")) delete form.dataset.sent;
  for (const one of document.querySelectorAll("[aria-busy]")) one.removeAttribute("aria-busy");
});

// --- htmx ----------------------------------------------------------------------------------------

const waiting = new Map();
let signedOut = null;

const on = (name, act) => document.addEventListener(`htmx:${name}`, (event) => act(event, event.detail));

on("configRequest", (event, { elt, headers, parameters, formData, verb }) => {
  if (verb === "get") return;
  headers["X-CSRFToken"] = cookie("csrftoken");
  // The form's own token is of the session it was made in, and Django looks at it first.
  if (parameters.csrfmiddlewaretoken) parameters.csrfmiddlewaretoken = cookie("csrftoken");
  if (elt.dataset.once) parameters.key = keyFor(elt, formData ?? new FormData(elt));
});
on("beforeRequest", (event, { elt }) => busy(elt, true));
on("afterRequest", (event, { elt, xhr }) => {
  const lost = !xhr.status || [502, 503, 504].includes(xhr.status);
  if (lost && elt.matches?.("[data-retry]")) return again(elt);
  waiting.delete(elt);
  busy(elt, false);
  if (xhr.status) reached();
  if (xhr.status === 401) signedOut = elt;
  else if (xhr.status) answered(elt);
});
on("afterSwap", (event) => arrive(event.target.isConnected ? event.target : document.body));
document.addEventListener("signed-in", () => {
  document.getElementById("sheet-place").replaceChildren();
  const interrupted = signedOut;
  signedOut = null;
  if (interrupted?.isConnected) htmx.trigger(interrupted, interrupted.matches("form") ? "submit" : "click");
});

function again(element) {
  const tries = waiting.get(element)?.tries ?? 0;
  unreached();
  busy(element, true);
  element.dispatchEvent(new CustomEvent("outcome-unknown", { bubbles: true }));
  const timer = setTimeout(() => send(element), RETRY_MS[Math.min(tries, RETRY_MS.length - 1)]);
  waiting.set(element, { tries: tries + 1, timer });
}

function send(element) {
  if (!element.isConnected) return waiting.delete(element);
  htmx.trigger(element, element.matches("form") ? "submit" : "click");
}

function unreached() {
  if (bar()) bar().hidden = false;
  document.documentElement.classList.add("offline");
}

function reached() {
  if (bar()) bar().hidden = true;
  document.documentElement.classList.remove("offline");
}

window.addEventListener("offline", unreached);
window.addEventListener("online", () => {
  reached();
  for (const [element, { timer }] of waiting) {
    clearTimeout(timer);
    send(element);
  }
});

// --- arriving ------------------------------------------------------------------------------------

function arrive(root) {
  const focused = root.matches?.("[data-focus]") ? root : root.querySelector?.("[data-focus]");
  if (focused) {
    if (!focused.matches("input, button, a, select, textarea")) focused.tabIndex = -1;
    focused.focus({ preventScroll: true });
  }
  for (const toast of document.querySelectorAll("[data-toast]:not([data-leaves])")) {
    toast.dataset.leaves = "";
    setTimeout(() => toast.remove(), TOAST_MS);
  }
  root.dispatchEvent(new CustomEvent("arrived", { bubbles: true }));
}

// --- countdowns ----------------------------------------------------------------------------------

function left(milliseconds) {
  const seconds = Math.max(0, Math.ceil(milliseconds / 1000));
  const two = (number) => String(number).padStart(2, "0");
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
  return hours ? `${hours}:${two(minutes)}:${two(seconds % 60)}` : `${two(minutes)}:${two(seconds % 60)}`;
}

function tick() {
  for (const clock of document.querySelectorAll("time[data-until]")) {
    clock.began ??= performance.now();
    const remaining = Number(clock.dataset.until) - Number(clock.dataset.now) - (performance.now() - clock.began);
    const text = left(remaining);
    if (clock.textContent !== text) clock.textContent = text;
    if (remaining <= 0 && !clock.isOver) {
      clock.isOver = true;
      clock.dispatchEvent(new CustomEvent("countdown-over", { bubbles: true }));
    }
  }
  for (const clock of document.querySelectorAll("time[data-since]")) {
    clock.began ??= performance.now();
    clock.textContent = left(Number(clock.dataset.now) - Number(clock.dataset.since) + performance.now() - clock.began);
  }
}

tick();
setInterval(tick, 1000);
if (!navigator.onLine) unreached();
arrive(document.body);

window.hexiao = { cookie, newKey, reached, unreached };
