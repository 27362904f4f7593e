// What the shop's pages do by themselves: figures that move, a code that renews itself, one question for a location.

const $ = (selector, within = document) => within.querySelector(selector);

// --- the live page: figures move in place, and a sale that begins, pauses or ends is asked for anew ------------

const POLL_MS = 5000;
let source = null;
let polling = 0;

function watch() {
  const session = $("#listings")?.dataset.live;
  if (!session) return;
  source = new EventSource(`/api/v1/live/${session}/events`);
  source.addEventListener("figures", (event) => show(JSON.parse(event.data)));
  source.addEventListener("closed", () => { source.close(); again(); });
  source.addEventListener("error", () => {
    // A site without the lane has no stream; its page of figures says the same.
    if (source.readyState === EventSource.CLOSED && !polling) polling = setInterval(() => poll(session), POLL_MS);
  });
}

async function poll(session) {
  if (document.hidden) return;
  try {
    const answer = await fetch(`/api/v1/live/${session}`);
    if (answer.ok) show(await answer.json());
    else if (answer.status === 404) { clearInterval(polling); again(); }
  } catch { /* no network: the bar says so, and the next look may find it */ }
}

function show({ listings }) {
  for (const { offer, state, left, sold } of listings) {
    const card = $(`[data-offer="${CSS.escape(offer)}"]`);
    if (!card) return again();
    const was = card.classList.contains("is-gone") ? 0 : Number(card.dataset.left ?? 1);
    card.dataset.left = left;
    if (state !== card.dataset.state || (left > 0) !== (was > 0)) { again(); return; }
    const percent = Math.min(100, Math.floor((100 * sold) / Math.max(sold + left, 1)));
    const stock = $(".offer-stock [data-left]", card);
    if (stock) set(stock, (left < 100 ? stock.dataset.few : stock.dataset.words).replace("{n}", left.toLocaleString("en")));
    const share = $(".offer-stock [data-sold]", card);
    if (share) set(share, share.dataset.words.replace("{n}", percent));
    const bar = $("progress", card);
    if (bar && bar.value !== percent) bar.value = percent;
  }
}

function set(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function again() {
  const listings = $("#listings");
  if (listings) htmx.trigger(listings, "listings-again");
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
});

// --- titles and icons follow what a page has learned ------------------------------------------------------------

document.addEventListener("htmx:beforeSwap", ({ detail }) => {
  const fresh = new DOMParser().parseFromString(detail.xhr.responseText, "text/html");
  const icon = $("link[rel=icon]", fresh);
  if (icon && $("link[rel=icon]")) $("link[rel=icon]").href = icon.href;
});

watch();
stayAwake();
