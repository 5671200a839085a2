// The line in the drop's page: reads the index cookie and the status document, works out the place, swaps the state.
// Every word comes from the page: states lie in template elements, sentences in #words.

import { digits, learn, localise, now, number, range, spelled } from "./clock.js";
import { count } from "./page.js";
import { OVER, isKnown, isNewer, pause, phaseAt, standing, wait } from "./rules.js";
import { placeOf, seedOf } from "./shuffle.js";

const page = document.querySelector("[data-line]");
const { slug, drop, prefix, lineUrl } = page.dataset;
const times = { lobby: Number(page.dataset.lobby), opens: Number(page.dataset.opens) };
const words = document.getElementById("words").dataset;
const frame = document.getElementById("state");
const editions = document.getElementById("editions");
const speak = document.getElementById("speak");
const MINI = ["drawing", "waiting"]; // states in which the picture is small
const ANSWER_MS = 8000;
const { title } = document;

let status = null;
let trouble = 0; // looks that failed, one after the other
let seed = null;
let place = null;
let timer = 0;
let asked = 0;
let last = now();
let drawn = Promise.resolve();

const say = (text, values) => text.replace(/{(\w+)}/g, (_all, name) => values[name]);
const put = (element, text) => { if (element && element.textContent !== text) element.textContent = text; };
const slot = (name) => frame.querySelector(`[data-slot=${name}]`);
const phase = () => phaseAt(status?.phase ?? page.dataset.phase, times, now());

function cookie(kind) {
  const name = `${prefix}${kind}-${slug}=`;
  return document.cookie.split("; ").find((pair) => pair.startsWith(name))?.slice(name.length) ?? null;
}

function ticket() {
  const text = cookie("index");
  return text && /^\d+$/.test(text) ? Number(text) : null;
}

async function look() {
  clearTimeout(timer);
  asked = Date.now();
  try {
    const answer = await fetch(`${lineUrl}status.json`, {
      cache: "no-store", credentials: "omit", signal: AbortSignal.timeout(ANSWER_MS),
    });
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    const fresh = await answer.json();
    learn(Date.parse(answer.headers.get("date")) / 1000 || fresh.now);
    if (fresh.v === 1 && fresh.slug === slug && isNewer(fresh, status)) status = fresh;
    trouble = 0;
  } catch {
    trouble += 1;
  }
  await render();
  if (OVER.includes(phase())) return;
  const rule = { status, phase: phase(), times, place, now: now(), hidden: document.hidden, trouble, chance: Math.random() };
  timer = setTimeout(look, 1000 * pause(rule));
}

async function locate(index) {
  if (index === null || status?.sealed == null || !status.secret) return null;
  if (index >= status.sealed) return index;
  if (!crypto.subtle) location.replace(lineUrl); // plain http: the gate's own page works the place out
  seed ??= await seedOf(drop, status.secret, status.sealed);
  return placeOf(seed, index, status.sealed);
}

/** One after the other: a swap takes as long as its transition. */
function render() {
  return (drawn = drawn.then(draw, draw));
}

async function draw() {
  const index = ticket();
  place = await locate(index);
  const name = standing({ phase: phase(), index, place, cursor: status?.cursor ?? 0 });
  if (name !== frame.dataset.now) await swap(name);
  document.title = name === "turn" ? `${words.turn} ${title}` : title; // seen from another tab
  if (name === "waiting") fillWaiting(index);
  put(slot("sentence"), (name === "turn" && deciding()) || (status?.sentence ?? ""));
  const joined = status?.joined ?? 0;
  put(slot("front"), joined > 1 ? say(words.front, { n: number(joined) }) : joined ? words.frontOne : "");
  fillEditions();
  fillTrouble();
  tick();
}

async function swap(name) {
  const template = page.querySelector(`template[data-state="${name}"]`);
  if (!template) return;
  const before = frame.dataset.now;
  frame.dataset.now = name;
  const change = () => {
    const focused = frame.contains(document.activeElement);
    frame.replaceChildren(template.content.cloneNode(true));
    page.dataset.state = name;
    page.classList.toggle("mini", MINI.includes(name));
    page.classList.toggle("gone", OVER.includes(name));
    localise(frame);
    if (focused) frame.focus();
    if (name === "turn") put(speak, words.turn);
  };
  const still = document.hidden || matchMedia("(prefers-reduced-motion:reduce)").matches;
  if (document.startViewTransition && !still) await document.startViewTransition(change).updateCallbackDone;
  else change();
  if (name === "opening" || name === "drawing") opened(before);
  if (OVER.includes(name)) reloadOnce(name);
}

function opened(before) {
  if (before !== "lobby" && before !== "in") return;
  put(speak, words.opened);
  document.documentElement.classList.add("opened");
}

/** Fetch the page of what is over, with its figures: once, and not with everybody at once. */
function reloadOnce(name) {
  const key = `seen-${slug}-${name}`;
  if (sessionStorage.getItem(key)) return;
  sessionStorage.setItem(key, "1");
  setTimeout(() => location.reload(), 2000 + 3000 * Math.random());
}

function fillWaiting(index) {
  const ahead = Math.max(0, place - status.cursor);
  const text = number(ahead + 1);
  const shown = slot("place");
  put(shown, text);
  shown.style.setProperty("--chars", Math.max(4, text.length));
  frame.querySelector("[data-rule]").style.setProperty("--done", Math.min(1, status.cursor / (place + 1)));
  const early = index < status.sealed;
  const about = early && ahead >= 10; // drawn places are near enough, not exact: two figures
  const people = say(about ? words.aheadAbout : words.ahead, { n: number(about ? Number(ahead.toPrecision(2)) : ahead) });
  const front = [words.next, words.aheadOne][ahead] ?? people;
  put(slot("ahead"), ahead === 0 ? front : `${front} ${fewLeft(ahead) ?? waitText()}`);
  put(slot("drawn"), say(early ? words.drawn : words.late, { n: number(place + 1), all: number(status.sealed) }));
}

function waitText() {
  const span = wait(place, status);
  if (!span) return words.still;
  return span[1] <= 60 ? words.soon : say(words.wait, { time: range(...span) });
}

function total(what) {
  return status.editions.reduce((sum, edition) => sum + edition[what], 0);
}

/** What somebody whose turn it is should know where nothing is free but something may return. */
function deciding() {
  const held = total("held");
  if (total("free") || !held) return "";
  return held > 1 ? say(words.deciding, { n: number(held) }) : words.decidingOne;
}

/** Where far more people stand in front than pieces are left, a time would mean nothing. */
function fewLeft(ahead) {
  const left = total("free") + total("held");
  if (ahead < 3 * left) return null;
  const text = left < Number(page.dataset.pieces) ? words.few : words.fewAll;
  return say(text, { pieces: number(Number(page.dataset.pieces)), left: number(left) });
}

function fillEditions() {
  if (!status || ["announced", "lobby", "opening"].includes(phase())) return;
  editions.hidden = false;
  for (const { sku, band } of status.editions) {
    const cell = editions.querySelector(`[data-sku="${CSS.escape(sku)}"]`);
    if (cell) cell.dataset.band = band;
    put(cell, words[band]);
  }
}

function fillTrouble() {
  const lost = trouble > 1 || (status && !isKnown(status, now()));
  const notice = slot("notice");
  if (!notice || (!lost && notice.dataset.kind !== "lost")) return;
  tell(lost ? (navigator.onLine ? words.lost : words.offline) : "", "lost");
}

function tell(text, kind = "") {
  const notice = slot("notice");
  if (!notice) return;
  notice.hidden = !text;
  notice.dataset.kind = kind;
  put(notice, text);
}

function tick() {
  for (const element of frame.querySelectorAll("[data-until]")) {
    const left = times[element.dataset.until] - now();
    if ("far" in element.dataset) {
      if (left > 0 && left < 3600) put(element, say(words.lobbyIn, { time: spelled(left) }));
      continue;
    }
    const text = left > 86400 ? spelled(left) : digits(left);
    put(element, text);
    element.style.setProperty("--chars", Math.max(4, text.length));
  }
  const left = times.opens - now();
  const before = times.opens - last;
  if (before > 600 && left <= 600) put(speak, words.ten);
  if (before > 60 && left <= 60) put(speak, words.one);
  last = now();
}

function everySecond() {
  const changed = phase() !== (everySecond.phase ?? page.dataset.phase);
  everySecond.phase = phase();
  if (changed) render();
  else tick();
  setTimeout(everySecond, 1000 - ((now() * 1000) % 1000) + 5);
}

/** Kept, so that a repeat after a lost answer gets the same index. */
function clientKey() {
  const fresh = Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
  try {
    const kept = localStorage.getItem(`client-${slug}`) ?? fresh;
    localStorage.setItem(`client-${slug}`, kept);
    return kept;
  } catch {
    return (clientKey.kept ??= fresh); // no storage: kept as long as the page
  }
}

async function post(act) {
  const body = new URLSearchParams(act === "join" ? { key: clientKey() } : {});
  const answer = await fetch(`${lineUrl}${act}`, {
    method: "POST", body, headers: { Accept: "application/json" }, signal: AbortSignal.timeout(ANSWER_MS),
  });
  const said = await answer.json().catch(() => ({}));
  return { ok: answer.ok, code: answer.status, retry: Number(answer.headers.get("retry-after")) || 0, said };
}

/** Ask, and ask again as long as the answer is "in a moment" or does not come. */
async function press(form, tries = 0) {
  const button = form.querySelector("button");
  const act = form.dataset.act;
  if (button.dataset.idle === undefined) button.dataset.idle = button.textContent;
  put(button, act === "join" ? words.joining : words.entering);
  button.setAttribute("aria-disabled", "true");
  const answer = await post(act).catch(() => ({ ok: false, code: 0, retry: 0, said: {} }));
  if (answer.ok && act === "enter") return location.assign(page.dataset.pick);
  if (answer.ok) return look();
  if (!form.isConnected) return undefined;
  const soon = answer.retry && (answer.code === 409 || answer.code === 429);
  if (soon || answer.code === 0 || answer.code >= 500) {
    const seconds = Math.min(30, answer.retry || 2 ** Math.min(tries, 4)) + Math.random();
    tell(soon ? say(words.waitIn, { n: Math.ceil(seconds) }) : words.refused);
    return setTimeout(() => form.isConnected && press(form, tries + 1), 1000 * seconds);
  }
  put(button, button.dataset.idle);
  button.removeAttribute("aria-disabled");
  tell(answer.said.detail ?? words.refused);
  return look();
}

frame.addEventListener("submit", (event) => {
  if (!event.target.dataset.act) return;
  event.preventDefault();
  if (event.target.querySelector("[aria-disabled]")) return;
  press(event.target);
});

/** Only who holds something asks what. */
async function held() {
  if (!cookie("held")) return;
  const answer = await fetch(page.dataset.mine, { cache: "no-store" }).catch(() => null);
  const row = page.querySelector("[data-held]");
  row.hidden = !answer?.ok;
  page.classList.toggle("holding", Boolean(answer?.ok));
  if (!answer?.ok) return;
  const { url, text, ends } = await answer.json();
  row.firstElementChild.href = url;
  put(row.querySelector("[data-held-text]"), text);
  const left = row.querySelector("[data-held-left]");
  if (!ends) return;
  Object.assign(left.dataset, { ends, say: words.left, over: "" });
  count(left);
}

document.addEventListener("visibilitychange", () => {
  if (!document.hidden && !OVER.includes(phase()) && Date.now() - asked > 2000) look();
});
addEventListener("online", look);
addEventListener("pageshow", (event) => event.persisted && (look(), held()));

held();
if (OVER.includes(page.dataset.phase)) localise(document);
else {
  look();
  everySecond();
}
