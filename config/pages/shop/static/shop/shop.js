// What the shop's pages do by themselves: figures that move, a code that renews itself, one question for a location.

const $ = (selector, within = document) => within.querySelector(selector);

// --- the live page: figures move in place, and a card turns by itself when its sale begins, sells out or ends -----

const POLL_MS = 5000;
const AT_ONCE_MS = 4000;
const live = $("#live")?.dataset;
let source = null;
let polling = 0;

function watch() {
  if (!live) return;
  source = new EventSource(`/api/v1/live/${live.session}/events`);
  source.addEventListener("figures", (event) => show(JSON.parse(event.data)));
  source.addEventListener("closed", () => { source.close(); again(); });
  source.addEventListener("error", () => {
    // A site without the lane has no stream; its page of figures says the same.
    if (source.readyState === EventSource.CLOSED && !polling) polling = setInterval(poll, POLL_MS);
  });
}

async function poll() {
  if (document.hidden) return null;
  try {
    const answer = await fetch(`/api/v1/live/${live.session}`);
    if (answer.status === 404) { clearInterval(polling); again(); }
    if (!answer.ok) return null;
    const page = await answer.json();
    show(page);
    return page;
  } catch { /* no network: the bar says so, and the next look may find it */ return null; }
}

function show({ listings }) {
  for (const figures of listings) {
    const card = $(`[data-offer="${CSS.escape(figures.offer)}"]`);
    if (card) move(card, figures);
    else if ($("#listings")) return again();
  }
}

function move(card, { state, left, sold }) {
  if (state !== "open") turn(card, state);
  else if (card.dataset.state !== "later") turn(card, left > 0 ? "open" : "gone");
  const percent = Math.min(100, Math.floor((100 * sold) / Math.max(sold + left, 1)));
  const stock = $(".offer-stock [data-left]", card);
  set(stock, (left < 100 ? stock.dataset.few : stock.dataset.words).replace("{n}", left.toLocaleString("en")));
  const share = $(".offer-stock [data-sold]", card);
  if (share) set(share, share.dataset.words.replace("{n}", percent));
  const bar = $("progress", card);
  if (bar.value !== percent) bar.value = percent;
}

function turn(card, state) {
  if (card.dataset.state === state) return;
  card.dataset.state = state;
  card.classList.toggle("is-gone", state !== "open" && state !== "later");
  for (const part of card.querySelectorAll("[data-when]")) part.hidden = !part.dataset.when.split(" ").includes(state);
}

function set(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

// What no figure tells (another listing, another price) is asked for anew, by thousands of pages but not at once.
let asking = 0;
function again() {
  asking ||= setTimeout(() => {
    asking = 0;
    if ($("#listings")) htmx.trigger($("#listings"), "listings-again");
  }, Math.random() * AT_ONCE_MS);
}

// At zero the server says whether it has begun: its clock decides, and the lane answers out of memory.
document.addEventListener("countdown-over", async ({ target }) => {
  const card = target.closest("[data-offer]");
  if (!card || !live) return;
  for (;;) {
    const page = await poll();
    const listing = page?.listings.find((one) => one.offer === card.dataset.offer);
    if (!card.isConnected || (page && !listing)) return;
    if (listing && listing.state !== "open") return turn(card, listing.state);
    if (listing && Date.parse(page.server_time) >= Date.parse(listing.opens_at)) return turn(card, listing.left > 0 ? "open" : "gone");
    await pause(500);
  }
});

// --- buying: the page asks the lane itself, with the key that the form would carry ------------------------------

const TRIES_MS = [500, 1000, 2000, 4000, 8000];
const SILENCE_MS = 8000;
const pause = (milliseconds) => new Promise((wake) => setTimeout(wake, milliseconds));

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (!form.matches("form[data-buys]") || !live?.token || form.dataset.plain) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  if (form.dataset.buying) return;
  form.dataset.buying = "1";
  $("button", form).setAttribute("aria-busy", "true");
  buy(form).then((isOver) => {
    if (!isOver) return;
    delete form.dataset.buying;
    $("button", form).removeAttribute("aria-busy");
  });
}, true);

async function buy(form) {
  const card = form.closest("[data-offer]");
  const { key, offer, unit_price_fen, terms_number, promoter } = Object.fromEntries(new FormData(form));
  const wanted = { offer, unit_price_fen: Number(unit_price_fen), terms_number: Number(terms_number), promoter };
  const headers = { Authorization: `Bearer ${live.token}`, "Idempotency-Key": key, "Content-Type": "application/json", "Accept-Language": document.documentElement.lang };
  for (let tries = 0; ; tries += 1) {
    let answer = null;
    try {
      answer = await fetch(`/api/v1/live/${live.session}/purchases`, { method: "POST", headers, body: JSON.stringify(wanted), signal: AbortSignal.timeout(SILENCE_MS) });
    } catch { /* lost: whether it was sold is not known, and the same key asks */ }
    if (answer && answer.status < 500) return become(form, card, answer);
    say(card, live.confirming, "");
    await pause(TRIES_MS[Math.min(tries, TRIES_MS.length - 1)]);
  }
}

// The card becomes the answer. Whom the lane does not know (a token that is over) the site's own form asks to sign in.
async function become(form, card, answer) {
  if ([401, 403, 404].includes(answer.status)) {
    form.dataset.plain = "1";
    form.requestSubmit();
    return false;
  }
  const told = await answer.json();
  if (!answer.ok) {
    say(card, told.error.message, "is-stop");
    if (["price_changed", "not_on_sale_yet"].includes(told.error.code)) again();
    return true;
  }
  say(card, live.won, "is-done");
  const isDue = told.status === "accepted";
  location.assign(isDue ? live.pay.replace("PAYMENT", told.payment.id) : live.purchase.replace("PURCHASE", told.purchase));
  return false;
}

const said = new Map();
document.addEventListener("htmx:afterSwap", () => {
  for (const [offer, words] of said) {
    const card = $(`[data-offer="${CSS.escape(offer)}"]`);
    if (card && $("[data-said]", card).hidden) say(card, ...words);
  }
});

function say(card, sentence, tone) {
  said.set(card.dataset.offer, [sentence, tone]);
  const place = $("[data-said]", card);
  place.className = `offer-said small ${tone}`;
  place.hidden = false;
  set(place, sentence);
}

// --- the ticket: a new code while somebody looks, none while nobody does ---------------------------------------

let isStale = false;
document.addEventListener("countdown-over", (event) => {
  const code = event.target.closest("[data-rotates]");
  if (code && document.hidden) {
    event.stopPropagation();
    isStale = true;
  }
}, true);

let lock = null;
async function stayAwake() {
  if (!$("[data-awake]") || document.hidden || !navigator.wakeLock) return;
  try { lock = await navigator.wakeLock.request("screen"); } catch { /* a low battery may say no */ }
}

document.addEventListener("visibilitychange", () => {
  if (document.hidden) return;
  stayAwake();
  const code = $("[data-rotates]");
  if (code && isStale) {
    isStale = false;
    htmx.trigger(code, "code-again");
  }
});

// --- where she is: asked for when a form needs it, never before -------------------------------------------------

const PATIENCE_MS = 6000;

function located() {
  return new Promise((found) => {
    if (!navigator.geolocation) { found(null); return; }
    const options = { timeout: PATIENCE_MS, maximumAge: 300000 };
    navigator.geolocation.getCurrentPosition(({ coords }) => found(coords), () => found(null), options);
  });
}

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (!form.matches("form[data-locate]") || form.dataset.located) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  if (form.dataset.locating) return;
  form.dataset.locating = "1";
  const button = $("button", form);
  button.setAttribute("aria-busy", "true");
  located().then((coords) => {
    delete form.dataset.locating;
    if (!coords && form.dataset.locate === "required") {
      button.removeAttribute("aria-busy");
      $("[data-locate-refused]", form).hidden = false;
      return;
    }
    if (coords) {
      form.elements.latitude.value = coords.latitude;
      form.elements.longitude.value = coords.longitude;
    }
    form.dataset.located = "1";
    form.requestSubmit();
  });
}, true);
window.addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[data-located]")) delete form.dataset.located;
  for (const form of document.querySelectorAll("form[data-buying]")) delete form.dataset.buying;
});

// --- titles and icons follow what a page has learned ------------------------------------------------------------

document.addEventListener("htmx:beforeSwap", ({ detail }) => {
  const fresh = new DOMParser().parseFromString(detail.xhr.responseText, "text/html");
  const icon = $("link[rel=icon]", fresh);
  if (icon && $("link[rel=icon]")) $("link[rel=icon]").href = icon.href;
});

watch();
stayAwake();
