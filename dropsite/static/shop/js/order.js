// Asks for the order's status until it is final, less and less often, and loads the page again when it has changed:
// every status is written once, in the page. Nothing here pays or stops a payment; the page may be closed at any time.

import { request } from "./request.js";

const page = document.querySelector("[data-order]");
const notice = document.getElementById("notice");
const FIRST_MS = 1000;
const LONGEST_MS = 10_000;
let delay = FIRST_MS;
let timer;

function askLater() {
  clearTimeout(timer);
  timer = setTimeout(ask, delay * (0.8 + 0.4 * Math.random())); // so that a thousand pages don't ask at once
  delay = Math.min(delay * 1.4, LONGEST_MS);
}

function show(text) {
  notice.textContent = text;
  notice.hidden = !text;
}

async function ask(query = "") {
  if (document.hidden) return; // asked again when the page is visible
  try {
    const response = await request(page.dataset.order + query, { headers: { Accept: "application/json" } });
    if (!response.ok) throw new Error(response.status);
    const { state } = await response.json();
    show("");
    if (state !== page.dataset.state) return location.reload();
  } catch {
    show(page.dataset.lost);
  }
  askLater();
}

/** Ask at once, and often for a while, since something has just happened. */
export function askNow(query) {
  delay = FIRST_MS;
  ask(query);
}

if (page.dataset.final === "no") {
  document.addEventListener("visibilitychange", () => {
    delay = FIRST_MS;
    if (!document.hidden) ask();
  });
  addEventListener("online", () => ask());
  askLater();
}
document.querySelector(".without-script")?.remove();
