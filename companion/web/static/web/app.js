// Make the pages quicker. Without this script, everything works by plain forms and links. The planning form has
// a script of its own (planning.js), which uses the functions of this file.
"use strict";

const one = (selector, root = document) => root.querySelector(selector);
const all = (selector, root = document) => [...root.querySelectorAll(selector)];
const POLL = 10_000;

// ---- Remove what htmx keeps in the browser: the page's address, which may contain the name of a patient
try { sessionStorage.removeItem("htmx-current-path-for-history"); } catch { /* The browser has no storage. */ }

// ---- On a phone, the filters are hidden behind a button
const sheet = one(".sheet");
if (sheet && matchMedia("(max-width: 767px)").matches) sheet.open = false;

// ---- Show the buttons for passkeys where passkeys work: at https, or on this machine
for (const part of all("[data-passkey]")) part.hidden = !(window.isSecureContext && window.PublicKeyCredential);
document.addEventListener("allauth.error", (event) => {
  event.preventDefault();
  const notice = document.createElement("div");
  Object.assign(notice, { className: "alert alert-danger", textContent: "The passkey wasn't used. Try again, or sign in another way." });
  one("#notices").replaceChildren(notice);
});

// ---- Close an open menu on a click elsewhere; Escape closes it, too (below)
document.addEventListener("click", (event) => {
  for (const menu of all("details.menu[open], details.ask[open]")) {
    if (!menu.contains(event.target)) menu.open = false;
  }
});

// ---- The side panel: a click on a row opens it, Escape closes it and returns to the row
const panel = one("#panel");
let cameFrom = null;

async function openPanel(link) {
  const answer = await fetch(`${link.href}?part=panel`, { headers: { "HX-Request": "true", "X-Opened": "yes" } });
  if (!answer.ok || answer.status === 204) {
    location.href = link.href;
    return;
  }
  cameFrom = link;
  panel.innerHTML = await answer.text();
  for (const form of all("form", panel)) {
    // After an act in the panel, return to the same list.
    const next = document.createElement("input");
    Object.assign(next, { type: "hidden", name: "next", value: location.pathname + location.search });
    form.append(next);
  }
  panel.hidden = false;
  htmx.process(panel);
  for (const entry of all(".entry.shown")) entry.classList.remove("shown");
  link.closest(".entry").classList.add("shown");
  one("h1", panel)?.focus();
}

function closePanel() {
  if (!panel || panel.hidden) return false;
  panel.hidden = true;
  panel.replaceChildren();
  for (const entry of all(".entry.shown")) entry.classList.remove("shown");
  const back = cameFrom?.isConnected ? cameFrom : cameFrom && one(`#${cameFrom.closest("[id]")?.id} .open`);
  back?.focus();
  return true;
}

document.addEventListener("click", (event) => {
  const link = event.target.closest("#rows .open");
  const plain = !event.metaKey && !event.ctrlKey && !event.shiftKey && event.button === 0;
  if (link && panel && plain && matchMedia("(min-width: 992px)").matches) {
    event.preventDefault();
    openPanel(link);
  } else if (event.target.closest("[data-close]")) {
    closePanel();
  }
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  const menu = one("details.menu[open], details.ask[open]");
  if (menu) {
    menu.open = false;
    one("summary", menu).focus();
  } else closePanel();
});

// ---- Keys of the calendar: follow the link with this `data-key`, unless the person types or holds the key down
document.addEventListener("keydown", (event) => {
  const held = event.altKey || event.ctrlKey || event.metaKey || event.shiftKey;
  if (held || event.repeat || event.target.closest("input, select, textarea, .panel")) return;
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  one(`[data-key="${CSS.escape(key)}"]`)?.click();
});

// ---- Acts on many rows: count the ticked rows
document.addEventListener("change", (event) => {
  if (!event.target.matches(".tick input")) return;
  if (event.target.matches("[data-tick-all]")) {
    for (const box of all('.tick input[name="id"]')) box.checked = event.target.checked;
  }
  const count = all('.tick input[name="id"]:checked').length;
  const words = one("[data-ticked]");
  const what = words?.dataset.ticked || "message";
  if (words) words.textContent = count === 1 ? `1 ${what} ticked` : `${count} ${what}s ticked`;
});

for (const box of all("[data-tick-all]")) box.hidden = false;

// ---- The live list: replace a changed row in its place; announce new and removed rows without moving others
const live = one("[data-live]");
let waiting = null;

async function refresh() {
  if (!live || document.hidden || one(".tick input:checked") || one("#rows details[open]")) return;
  const answer = await fetch(live.dataset.live, { headers: { "HX-Request": "true" } });
  if (!answer.ok || answer.status === 204) return;
  const fresh = document.createElement("template");
  fresh.innerHTML = await answer.text();
  const now = new Map(all(".entry", fresh.content).map((entry) => [entry.id, entry]));
  const shown = new Map(all(".entry", live).map((entry) => [entry.id, entry]));
  let news = 0;
  for (const [id, entry] of now) {
    const old = shown.get(id);
    if (!old) news += 1;
    else if (old.dataset.stamp !== entry.dataset.stamp && !old.contains(document.activeElement)) {
      const copy = entry.cloneNode(true);
      copy.classList.add("fresh");
      if (old.classList.contains("shown")) copy.classList.add("shown");
      old.replaceWith(copy);
    }
  }
  for (const id of shown.keys()) if (!now.has(id)) news += 1;
  waiting = fresh;
  announce(news);
}

function announce(news) {
  const place = one("#news");
  if (!news) return place.replaceChildren();
  const words = news === 1 ? "1 update" : `${news} updates`;
  if (place.textContent === words) return undefined;
  const button = document.createElement("button");
  button.type = "button";
  button.className = "btn btn-primary";
  button.textContent = words;
  button.addEventListener("click", () => {
    live.replaceChildren(waiting.content.cloneNode(true));
    place.replaceChildren();
    one(".open", live)?.focus();
  });
  return place.replaceChildren(button);
}
if (live) setInterval(() => refresh().catch(() => {}), POLL);

// ---- Offline: say how old the page is, and disable its buttons
let seen = new Date();
function network(connected, why = "No connection.") {
  const strip = one("#offline");
  strip.hidden = connected;
  const zone = strip.dataset.zone || undefined;
  const time = seen.toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit", timeZone: zone });
  one("span", strip).textContent = `${why} As of ${time}; nothing can be changed until it is back.`;
  for (const button of all("main button, main .buttons a.btn")) {
    if (button.tagName === "BUTTON") button.disabled = !connected;
    else button.toggleAttribute("inert", !connected);
  }
}
addEventListener("offline", () => network(false));
addEventListener("online", () => network(true));
document.addEventListener("htmx:sendError", () => network(false));
document.addEventListener("htmx:responseError", (event) => {
  const { status } = event.detail.xhr;
  if (status >= 500) network(false, status === 503 ? "The database can't be used just now." : "The server has trouble.");
});
document.addEventListener("htmx:afterRequest", (event) => {
  if (!event.detail.successful) return;
  seen = new Date();
  if (!one("#offline").hidden) network(true);
});

// ---- "Send now" counts down first; the request is sent only after that
for (const form of all("form[data-countdown]")) {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    let left = Number(form.dataset.countdown);
    const words = form.parentElement.querySelector(".countdown");
    const stop = document.createElement("button");
    stop.type = "button";
    stop.className = "btn";
    stop.textContent = "Don't send";
    const text = document.createElement("span");
    words.replaceChildren(text, stop);
    form.hidden = true;
    words.hidden = false;
    stop.focus();
    const tell = () => { text.textContent = `Sending in ${left} s`; };
    tell();
    const timer = setInterval(() => {
      left -= 1;
      if (left > 0) return tell();
      clearInterval(timer);
      stop.remove();
      text.textContent = "Sending…";
      return form.submit();
    }, 1000);
    stop.addEventListener("click", () => {
      clearInterval(timer);
      words.hidden = true;
      form.hidden = false;
      one("button", form).focus();
    });
  });
}

// ---- The bar with the Undo button counts down, then disappears
const undo = one("#undo");
if (undo) {
  let left = Number(undo.dataset.seconds);
  const tell = () => { one(".undo-left", undo).textContent = `${left} s`; };
  tell();
  const timer = setInterval(() => {
    left -= 1;
    if (left > 0) return tell();
    clearInterval(timer);
    return undo.remove();
  }, 1000);
  one("form", undo).addEventListener("submit", () => clearInterval(timer));
}

// ---- After a refusal, put the focus on the field to correct
(one("#wrong") || one("#asks") || one('[aria-invalid="true"]'))?.focus();

// ---- Keep a chat scrolled to its newest message
const bottom = () => { for (const chat of all("[data-keep-bottom]")) chat.scrollTop = chat.scrollHeight; };
bottom();
document.addEventListener("htmx:afterSwap", bottom);

// ---- Select a one-time link or key, ready to be copied
for (const field of all("[data-select]")) field.addEventListener("focus", () => field.select());

// ---- Print the cards to hand out
for (const button of all("[data-print]")) button.addEventListener("click", () => print());
