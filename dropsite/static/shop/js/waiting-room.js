// The waiting room in the drop's page: reads the index cookie and the status document, calculates the place, and shows
// the state that follows. Every text comes from the page: states from its template elements, sentences from #texts.

import { countdown, digits, learn, localise, now, number, range, spelled } from "./clock.js";
import { request } from "./request.js";
import {
  OVER, isFresh, isNewer, isStandingStill, likelyWait, pageState, phaseAt, piecesLeft, pollDelay,
} from "./rules.js";
import { placeOf, seedOf } from "./shuffle.js";

const page = document.querySelector("[data-waiting-room]");
const { slug, drop, prefix, lineUrl } = page.dataset;
const times = { lobby: Number(page.dataset.lobby), opens: Number(page.dataset.opens) };
const texts = document.getElementById("texts").dataset;
const frame = document.getElementById("state");
const editions = document.getElementById("editions");
const spoken = document.getElementById("spoken");
const withoutScript = page.querySelector(".without-script"); // the way to the page that needs no script
const SMALL_PICTURE = ["drawing", "waiting"]; // states in which the number is larger than the picture
const { title } = document;

let status = null;
let failures = 0; // polls that failed in a row
let isOutdated = false; // the last answer was an old document: the gatekeeper has stopped
let seed = null;
let place = null;
let timer = 0;
let polledAt = 0;
let countedAt = now();
let rendering = Promise.resolve();

const fill = (text, values) => text.replace(/{(\w+)}/g, (_all, name) => values[name]);
const slot = (name) => frame.querySelector(`[data-slot=${name}]`);
const phase = () => phaseAt(status?.phase ?? page.dataset.phase, times, now());

function setText(element, text) {
  if (element && element.textContent !== text) element.textContent = text;
}

function cookie(kind) {
  const name = `${prefix}${kind}-${slug}=`;
  return document.cookie.split("; ").find((pair) => pair.startsWith(name))?.slice(name.length) ?? null;
}

function ticketIndex() {
  const text = cookie("index");
  return text && /^\d+$/.test(text) ? Number(text) : null;
}

async function poll() {
  clearTimeout(timer);
  polledAt = Date.now();
  try {
    const response = await request(`${lineUrl}status.json`, { cache: "no-store", credentials: "omit" });
    if (!response.ok) throw new Error(`status ${response.status}`);
    const fresh = await response.json();
    learn(Date.parse(response.headers.get("date")) / 1000 || fresh.now);
    isOutdated = !isFresh(fresh, now());
    if (fresh.v === 1 && fresh.slug === slug && isNewer(fresh, status)) status = fresh;
    failures = 0;
  } catch {
    failures += 1;
  }
  place = await placeOfTicket(ticketIndex()).catch(() => place);
  pollLater(); // before drawing, which may fail or take as long as a transition
  await render();
}

function pollLater() {
  clearTimeout(timer);
  if (OVER.includes(phase())) return;
  const jitter = Math.random();
  const facts = { status, phase: phase(), times, place, now: now(), hidden: document.hidden, failures, jitter };
  timer = setTimeout(poll, 1000 * pollDelay(facts));
}

async function placeOfTicket(index) {
  if (index === null || status?.sealed == null || !status.secret) return null;
  if (index >= status.sealed) return index;
  if (!crypto.subtle) {
    location.replace(lineUrl); // over plain http only the server's own page can calculate the place
    return null;
  }
  seed ??= await seedOf(drop, status.secret, status.sealed);
  return placeOf(seed, index, status.sealed);
}

/** One at a time: a change of state takes as long as its transition. Never rejects: an error ends nothing else. */
function render() {
  rendering = rendering.then(draw).then(() => offerWithoutScript(false), (error) => {
    console.error(error);
    offerWithoutScript(true);
  });
  return rendering;
}

function offerWithoutScript(isOffered) {
  if (withoutScript) withoutScript.hidden = !isOffered;
}

async function draw() {
  const index = ticketIndex();
  place = await placeOfTicket(index);
  const state = pageState({ phase: phase(), index, place, cursor: status?.cursor ?? 0 });
  if (state !== frame.dataset.now) await changeState(state);
  document.title = state === "turn" ? `${texts.turn} ${title}` : title; // visible from another tab
  if (state === "waiting") fillWaiting(index);
  setText(slot("sentence"), (state === "turn" && inCheckouts()) || (status?.sentence ?? ""));
  setText(slot("facts"), factsText());
  setText(slot("joined"), joinedText(status?.joined ?? 0));
  fillEditions();
  fillConnection();
  tick();
}

async function changeState(state) {
  const template = page.querySelector(`template[data-state="${state}"]`);
  if (!template) return;
  const before = frame.dataset.now;
  const change = () => {
    const focused = frame.contains(document.activeElement);
    frame.replaceChildren(template.content.cloneNode(true));
    frame.dataset.now = state;
    page.dataset.state = state;
    page.classList.toggle("mini", SMALL_PICTURE.includes(state));
    page.classList.toggle("over", OVER.includes(state));
    localise(frame);
    tick();
    if (focused) frame.focus();
    if (state === "turn") setText(spoken, texts.turn);
  };
  const still = document.hidden || matchMedia("(prefers-reduced-motion:reduce)").matches;
  if (document.startViewTransition && !still) await document.startViewTransition(change).updateCallbackDone;
  else change();
  if (state === "opening" || state === "drawing") announceOpening(before);
  if (OVER.includes(state)) reloadOnce(state);
}

function announceOpening(before) {
  if (before !== "lobby" && before !== "joined") return;
  setText(spoken, texts.opened);
  document.documentElement.classList.add("opened");
}

/** Load the page of a drop that is over, with its figures: once, and not at the same moment as the others. */
function reloadOnce(state) {
  const key = `seen-${slug}-${state}`;
  try {
    if (sessionStorage.getItem(key)) return;
    sessionStorage.setItem(key, "1");
  } catch {
    return; // without storage it would be loaded again and again
  }
  setTimeout(() => location.reload(), 2000 + 3000 * Math.random());
}

function joinedText(joined) {
  if (!joined) return "";
  return joined === 1 ? texts.joinedOne : fill(texts.joined, { n: number(joined) });
}

function fillWaiting(index) {
  const ahead = Math.max(0, place - status.cursor);
  const shown = slot("place");
  setText(shown, number(ahead + 1));
  shown.style.setProperty("--chars", Math.max(4, shown.textContent.length));
  const done = Math.min(1, status.cursor / (place + 1));
  frame.querySelector("[data-progress]").style.setProperty("--done", done);
  const early = index < status.sealed;
  setText(slot("ahead"), aheadText(ahead, early));
  setText(slot("wait"), waitText(ahead));
  const drawn = early ? texts.drawn : texts.late;
  setText(slot("drawn"), fill(drawn, { n: number(place + 1), all: number(status.sealed) }));
}

/** Drawn places are near enough, not exact: from ten on they are rounded to two figures. */
function aheadText(ahead, drawn) {
  if (ahead === 0) return texts.next;
  if (ahead === 1) return texts.aheadOne;
  if (!drawn || ahead < 10) return fill(texts.ahead, { n: number(ahead) });
  return fill(texts.aheadAbout, { n: number(Number(ahead.toPrecision(2))) });
}

function waitText(ahead) {
  if (isStandingStill(status)) return texts.still;
  const wait = likelyWait(place, status);
  if (!wait || ahead === 0 || phase() === "paused") return "";
  return wait[1] <= 60 ? texts.soon : fill(texts.wait, { time: range(...wait) });
}

function total(what) {
  return status.editions.reduce((sum, edition) => sum + edition[what], 0);
}

/** What somebody whose turn it is should know when nothing is free but something may come back. */
function inCheckouts() {
  const held = total("held");
  if (total("free") || !held) return "";
  return held > 1 ? fill(texts.checkouts, { n: number(held) }) : texts.checkoutsOne;
}

/** How many pieces are left, and how many of those called came in. */
function factsText() {
  if (!status?.editions.length) return "";
  const facts = fill(texts.piecesLeft, { n: number(piecesLeft(status)) });
  const { cursor, entered } = status;
  if (!cursor || entered === undefined) return facts;
  const values = { called: number(cursor), entered: number(Math.min(cursor, entered)) };
  return `${facts} ${fill(texts.called, values)}`;
}

function fillEditions() {
  if (!status || ["announced", "lobby", "opening", "closed", "cancelled"].includes(phase())) return;
  editions.hidden = false;
  for (const { sku, band } of status.editions) {
    const cell = editions.querySelector(`[data-sku="${CSS.escape(sku)}"]`);
    if (cell) cell.dataset.band = band;
    setText(cell, texts[band]);
  }
}

function fillConnection() {
  // An old status by itself means nothing: perhaps no poll was due.
  const lost = failures > 1 || (failures && !isFresh(status, now())) || isOutdated;
  if (lost) showNotice(navigator.onLine ? texts.lost : texts.offline, "lost");
  else if (slot("notice")?.dataset.kind === "lost") showNotice("");
}

function showNotice(text, kind = "") {
  const notice = slot("notice");
  if (!notice) return;
  notice.hidden = !text;
  notice.dataset.kind = kind;
  setText(notice, text);
}

/** What changes from second to second before the drop opens. */
function tick() {
  for (const element of frame.querySelectorAll("[data-until]")) {
    const left = times[element.dataset.until] - now();
    if ("far" in element.dataset) {
      if (left > 0 && left < 3600) setText(element, fill(texts.lobbyIn, { time: spelled(left) }));
      continue;
    }
    setText(element, left > 86400 ? spelled(left) : digits(left));
    element.style.setProperty("--chars", Math.max(4, element.textContent.length));
  }
  const left = times.opens - now();
  const before = times.opens - countedAt;
  if (before > 600 && left <= 600) setText(spoken, texts.ten);
  if (before > 60 && left <= 60) setText(spoken, texts.one);
  countedAt = now();
}

let lastPhase = page.dataset.phase;

function everySecond() {
  setTimeout(everySecond, 1000 - ((now() * 1000) % 1000) + 5);
  const current = phase();
  const isNew = current !== lastPhase;
  lastPhase = current;
  if (isNew) render();
  else tick();
}

let unstoredKey = null;

/** Kept, so that a retry after a lost answer gets the same index. */
function clientKey() {
  const random = crypto.getRandomValues(new Uint8Array(16));
  const fresh = Array.from(random, (byte) => byte.toString(16).padStart(2, "0")).join("");
  try {
    const kept = localStorage.getItem(`client-${slug}`) ?? fresh;
    localStorage.setItem(`client-${slug}`, kept);
    return kept;
  } catch {
    unstoredKey ??= fresh; // without storage it lasts as long as the page
    return unstoredKey;
  }
}

async function post(action) {
  const body = new URLSearchParams(action === "join" ? { key: clientKey() } : {});
  const response = await request(`${lineUrl}${action}`, {
    method: "POST", body, headers: { Accept: "application/json" },
  });
  const { detail = "" } = await response.json().catch(() => ({}));
  const retry = Number(response.headers.get("retry-after")) || 0;
  return { ok: response.ok, code: response.status, retry, detail };
}

const NO_ANSWER = { ok: false, code: 0, retry: 0, detail: "" };

/** Send a form, and send it again as long as the answer is "in a moment" or doesn't arrive. */
async function send(form, tries = 0) {
  const button = form.querySelector("button");
  const action = form.dataset.action;
  button.dataset.idle ??= button.textContent;
  if (action === "join" && navigator.cookieEnabled === false) return stopSending(button, texts.noCookies);
  setText(button, action === "join" ? texts.joining : texts.entering);
  button.setAttribute("aria-disabled", "true");
  const answer = await post(action).catch(() => NO_ANSWER);
  if (answer.ok && action === "enter") return location.assign(page.dataset.pick);
  if (answer.ok && ticketIndex() === null) return stopSending(button, texts.noCookies);
  if (answer.ok) careForTicket({ isNew: true });
  if (answer.ok) return poll();
  if (!form.isConnected) return undefined;
  const soon = answer.retry && (answer.code === 409 || answer.code === 429);
  if (soon || answer.code === 0 || answer.code >= 500) {
    const seconds = Math.min(30, answer.retry || 2 ** Math.min(tries, 4)) + Math.random();
    const reason = answer.detail || texts.busy;
    showNotice(soon ? fill(texts.retryIn, { reason, n: Math.ceil(seconds) }) : texts.unavailable);
    return setTimeout(() => form.isConnected && send(form, tries + 1), 1000 * seconds);
  }
  stopSending(button, answer.detail || texts.unavailable);
  return poll();
}

/** Offer the button again, and say why. */
function stopSending(button, reason) {
  setText(button, button.dataset.idle);
  button.removeAttribute("aria-disabled");
  showNotice(reason);
  setText(spoken, reason);
  slot("notice")?.scrollIntoView({ block: "center" });
}

frame.addEventListener("submit", (event) => {
  if (!event.target.dataset.action) return;
  event.preventDefault();
  if (event.target.querySelector("[aria-disabled]")) return;
  send(event.target);
});

/** Show what this browser holds. The hint cookie spares everyone else the request. */
async function showHold() {
  if (!cookie("held")) return;
  const response = await request(page.dataset.mine, { cache: "no-store" }).catch(() => null);
  const row = page.querySelector("[data-hold]");
  row.hidden = !response?.ok;
  page.classList.toggle("holding", Boolean(response?.ok));
  if (!response?.ok) return;
  const { url, text, ends, note } = await response.json();
  row.firstElementChild.href = url;
  setText(page.querySelector("[data-hold-note]"), note);
  page.querySelector("[data-hold-note]").hidden = !note;
  setText(row.querySelector("[data-hold-text]"), text);
  const left = row.querySelector("[data-hold-left]");
  if (!ends) return;
  Object.assign(left.dataset, { ends, text: texts.left, over: "" });
  countdown(left);
}

document.addEventListener("visibilitychange", () => {
  if (!document.hidden && !OVER.includes(phase()) && Date.now() - polledAt > 2000) poll();
});
addEventListener("online", poll);
addEventListener("pageshow", (event) => event.persisted && (poll(), showHold()));

/** Few pages need this script: those with a ticket, and those that a link with one has opened. */
async function careForTicket({ isNew = false } = {}) {
  if (ticketIndex() === null && !location.hash) return;
  const { care } = await import("./ticket.js").catch(() => ({})); // asked for again at the next visit
  const isOver = OVER.includes(phase());
  care?.({ slug, ticketIndex, isNew, isOver, renew: () => post("renew"), forgotten: render });
}

localise(document);
showHold();
if (OVER.includes(page.dataset.phase)) {
  offerWithoutScript(false);
} else {
  poll();
  everySecond();
}
careForTicket();
addEventListener("hashchange", () => careForTicket());
