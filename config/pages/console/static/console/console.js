// The counter: codes with their check digit, the camera, wedge scanners, sounds, and what survives a reload.

// Damm's quasigroup, as vouchers/codes.py has it; a test compares the two.
const DAMM = ["0317598642", "7092154863", "4206871359", "1750983426", "6123045978", "3674209581", "5869720134", "8945362017", "9438617205", "2581436790"];
const DASHES = /[-\u2010\u2011\u2012\u2013\u2014\u2212\u200b\s]/g;
const FRAME_PIXELS = 640;
const FRAME_EVERY_MS = 250;
const $ = (selector, root = document) => root.querySelector(selector);

const normalise = (text) => text.normalize("NFKC").replace(DASHES, "");
const damm = (digits) => [...digits].reduce((interim, digit) => Number(DAMM[interim][digit]), 0);
const grouped = (digits) => digits.replace(/(.{4})(?=.)/g, "$1 ");

// --- codes ---------------------------------------------------------------------------------------

function wrongness(input) {
  const code = normalise(input.value);
  if (!code || !/^\d+$/.test(code)) return "";
  if (code.length === 12) return damm(code) === 0 ? "" : input.dataset.wrong;
  return code.length < 8 ? input.dataset.short : "";
}

function tell(input, sentence) {
  const place = document.getElementById(input.getAttribute("aria-describedby"));
  if (place && place.textContent !== sentence) place.textContent = sentence;
  if (sentence) input.setAttribute("aria-invalid", "true");
  else input.removeAttribute("aria-invalid");
}

document.addEventListener("input", (event) => {
  const input = event.target;
  if (input.id === "code") {
    const code = normalise(input.value);
    if (!/^\d+$/.test(code)) return tell(input, "");
    const atTheEnd = input.selectionStart === input.value.length;
    if (code.length <= 12 && atTheEnd && input.value !== grouped(code)) input.value = grouped(code);
    tell(input, code.length === 12 ? wrongness(input) : "");
    if (code.length === 12 && damm(code) === 0) send(input.form);
  }
  if (input.name === "code" || input.classList.contains("uses")) count();
});

document.addEventListener("submit", (event) => {
  const input = event.target.id === "code-form" && $("#code");
  if (!input) return;
  const sentence = wrongness(input);
  if (sentence || !input.value.trim()) {
    event.preventDefault();
    event.stopImmediatePropagation();
    tell(input, sentence);
    input.focus();
    sound("refused");
  }
}, true);

const send = (form) => window.htmx ? htmx.trigger(form, "submit") : form.requestSubmit();

function scanned(text) {
  const input = $("#code");
  if (!input || input.disabled) return;
  input.value = text;
  tell(input, "");
  send(input.form);
}

function count() {
  const button = $("#redeem-button");
  if (!button) return;
  const chosen = [...document.querySelectorAll("input[name=code]:checked")];
  const uses = chosen.reduce((sum, one) => sum + Number($(`[name="uses-${one.value}"]`)?.value ?? 1), 0);
  button.textContent = button.dataset.label.replace("#", uses);
  button.disabled = uses === 0;
}

// A wedge scanner types wherever the focus is, and ends with Enter.
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input, select, textarea")) return;
  if (!/^[0-9A-Za-z._\-]$/.test(event.key)) return;
  const input = $("#code");
  if (input && !input.disabled) input.focus();
  else if ($("#scan-next") && /^\d$/.test(event.key)) {
    sessionStorage.setItem("typed", event.key);
    $("#scan-next").click();
  }
});

// --- camera --------------------------------------------------------------------------------------

let stream = null;

function stopCamera() {
  stream?.getTracks().forEach((track) => track.stop());
  stream = null;
}

function noCamera(place) {
  place.classList.add("is-off");
  const said = $(".camera-refused", place);
  $("span", said).textContent = place.dataset.refused;
  said.hidden = false;
  $("#code")?.focus();
}

async function startCamera(place) {
  if (place.started) return;
  place.started = true;
  if ("off" in place.dataset) return place.classList.add("is-off");
  if (!navigator.mediaDevices?.getUserMedia) return noCamera(place);
  try {
    stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment", width: { ideal: 1280 } } });
  } catch {
    return noCamera(place);
  }
  if (!place.isConnected) return stopCamera();
  const video = $("video", place);
  video.srcObject = stream;
  await video.play().catch(() => {});
  if (!stream || !place.isConnected) return;
  offerTorch(place, stream.getVideoTracks()[0]);
  const detect = await detector();
  while (place.isConnected && stream) {
    const text = await detect(video, place).catch(() => null);
    if (!place.isConnected) break;
    if (text) return found(place, text);
    await new Promise((wake) => setTimeout(wake, FRAME_EVERY_MS));
  }
}

function found(place, text) {
  stopCamera();
  place.classList.add("has-read");
  shake(20);
  scanned(text);
}

async function detector() {
  const formats = "BarcodeDetector" in window ? await BarcodeDetector.getSupportedFormats().catch(() => []) : [];
  if (!formats.includes("qr_code")) return fromServer;
  const native = new BarcodeDetector({ formats: formats.filter((one) => ["qr_code", "code_128", "ean_13"].includes(one)) });
  return async (video) => (await native.detect(video))[0]?.rawValue;
}

async function fromServer(video, place) {
  if (!video.videoWidth || document.hidden) return null;
  // The middle square: what the frame shows, and all that is sent.
  const side = Math.min(video.videoWidth, video.videoHeight);
  const canvas = (place.canvas ??= document.createElement("canvas"));
  canvas.width = canvas.height = Math.min(side, FRAME_PIXELS);
  canvas.getContext("2d").drawImage(video, (video.videoWidth - side) / 2, (video.videoHeight - side) / 2, side, side, 0, 0, canvas.width, canvas.height);
  const frame = await new Promise((done) => canvas.toBlob(done, "image/jpeg", 0.7));
  const answer = await fetch(place.dataset.decode, {
    method: "POST",
    body: frame,
    headers: { "Content-Type": "image/jpeg", "X-CSRFToken": hexiao.cookie("csrftoken"), "HX-Request": "true" },
  });
  return answer.status === 200 ? (await answer.json()).text : null;
}

function offerTorch(place, track) {
  const button = $(".camera-torch", place);
  if (!track.getCapabilities?.().torch) return;
  button.hidden = false;
  button.onclick = () => {
    button.isOn = !button.isOn;
    track.applyConstraints({ advanced: [{ torch: button.isOn }] }).catch(() => {});
  };
}

// --- sounds --------------------------------------------------------------------------------------

const NOTES = {
  done: [[880, 0, 70], [1320, 70, 70]],
  collect: [[880, 0, 70], [1320, 70, 70], [1760, 140, 90]],
  refused: [[220, 0, 180], [220, 240, 180]],
  order: [[660, 0, 120], [880, 130, 120], [1100, 260, 160]],
};
const SHAKES = { done: [40], collect: [40], refused: [120, 60, 120], order: [200] };
let audio = null;

function unlock() {
  audio ??= new (window.AudioContext ?? window.webkitAudioContext)();
  audio.resume().then(sayWhetherThereIsSound, () => {});
}

function sayWhetherThereIsSound() {
  const place = $("#sound-off");
  if (place) place.hidden = audio?.state === "running";
}

// A page that nobody has touched yet, such as one just reloaded, may not.
function shake(pattern) {
  if (navigator.userActivation?.hasBeenActive ?? true) navigator.vibrate?.(pattern);
}

function sound(name) {
  shake(SHAKES[name]);
  document.dispatchEvent(new CustomEvent("sounded", { detail: name }));
  if (audio?.state !== "running") return;
  for (const [hertz, after, lasting] of NOTES[name]) {
    const [tone, volume, at] = [audio.createOscillator(), audio.createGain(), audio.currentTime + after / 1000];
    tone.type = name === "refused" ? "square" : "sine";
    tone.frequency.value = hertz;
    volume.gain.setValueAtTime(0.0001, at);
    volume.gain.exponentialRampToValueAtTime(0.4, at + 0.01);
    volume.gain.exponentialRampToValueAtTime(0.0001, at + lasting / 1000);
    tone.connect(volume).connect(audio.destination);
    tone.start(at);
    tone.stop(at + lasting / 1000 + 0.05);
  }
}
for (const gesture of ["pointerdown", "keydown"]) document.addEventListener(gesture, unlock, { capture: true, passive: true });

// --- what is not known yet -----------------------------------------------------------------------

const PENDING = "console.pending";

document.addEventListener("outcome-unknown", (event) => {
  const form = event.target;
  if (!form.matches("[data-redeems]")) return;
  if ($("#confirming")) $("#confirming").hidden = false;
  const fields = [...new FormData(form).entries()].filter(([name]) => name !== "csrfmiddlewaretoken" && name !== "key");
  const key = form.heldOnce?.key ?? form.dataset.key;
  sessionStorage.setItem(PENDING, JSON.stringify({ url: form.getAttribute("hx-post"), fields, key }));
});
document.addEventListener("htmx:afterRequest", ({ detail: { elt, xhr } }) => {
  if (elt.matches?.("[data-redeems]") && xhr.status && ![401, 502, 503, 504].includes(xhr.status)) sessionStorage.removeItem(PENDING);
  if (xhr.status && $("#confirming")) $("#confirming").hidden = true;
});

function resume() {
  const pending = JSON.parse(sessionStorage.getItem(PENDING) ?? "null");
  if (!pending || !pending.key) return;
  const form = document.createElement("form");
  form.dataset.redeems = form.dataset.retry = "";
  form.dataset.key = pending.key;
  for (const [name, value] of Object.entries({ "hx-post": pending.url, "hx-target": "#page", "hx-select": "#page", "hx-swap": "outerHTML" })) form.setAttribute(name, value);
  for (const [name, value] of [...pending.fields, ["key", pending.key]]) {
    const field = document.createElement("input");
    [field.type, field.name, field.value] = ["hidden", name, value];
    form.append(field);
  }
  document.body.append(form);
  htmx.process(form);
  if ($("#confirming")) $("#confirming").hidden = false;
  htmx.trigger(form, "submit");
}

// --- arriving ------------------------------------------------------------------------------------

document.addEventListener("click", (event) => {
  if (event.target.closest("[data-closes-sheet]")) $("#sheet-place").replaceChildren();
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && $("[data-closes-sheet]")) $("#sheet-place").replaceChildren();
});
document.addEventListener("htmx:afterRequest", ({ detail: { elt, xhr } }) => {
  if (elt.matches?.("[data-closes-after]") && xhr.status && xhr.status !== 401) $("#sheet-place").replaceChildren();
});
document.addEventListener("countdown-over", ({ target }) => {
  const input = target.dataset.unlocks && document.getElementById(target.dataset.unlocks);
  if (!input) return;
  input.disabled = false;
  tell(input, "");
  input.focus();
});

function arrived() {
  stopCamera();
  const place = $("#camera");
  if (place) startCamera(place);
  const sounding = $("[data-sound]");
  if (sounding && !sounding.hasSounded) {
    sounding.hasSounded = true;
    sound(sounding.dataset.sound);
  }
  const typed = sessionStorage.getItem("typed");
  if (typed && $("#code")) {
    sessionStorage.removeItem("typed");
    $("#code").value = typed;
    $("#code").focus();
  }
  count();
  sayWhetherThereIsSound();
}

document.addEventListener("please-sound", ({ detail }) => sound(detail));
document.addEventListener("click", (event) => {
  if (event.target.closest("[data-prints]")) window.print();
});
// A form that is posted whole: its key is the page's own, and stays with it over a second tap.
for (const form of document.querySelectorAll("form[data-keyed]")) form.elements.key.value ||= hexiao.newKey();
document.addEventListener("arrived", arrived);
window.addEventListener("pagehide", stopCamera);
arrived();
resume();
if ("serviceWorker" in navigator) navigator.serviceWorker.register("/console/sw.js", { scope: "/console/" }).catch(() => {});
