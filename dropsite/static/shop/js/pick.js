// The two minutes to choose. When they are up, "Hold" gives way to "Enter again", which asks the gate for two more, again
// and again while it answers "in a moment". What was chosen stays chosen.
// Comes before page.js, which counts down and may be at the end at once.

import { countdown } from "./clock.js";
import { request } from "./request.js";

const timer = document.querySelector("[data-ends]");
const holdBar = document.getElementById("hold-bar");
const enterBar = document.getElementById("enter-bar");
const turn = document.getElementById("turn");
const button = enterBar.querySelector("button");
const idleText = button.textContent;
const turnText = turn.textContent;

function showTimeIsUp(isUp) {
  const hadFocus = holdBar.contains(document.activeElement);
  holdBar.hidden = isUp;
  enterBar.hidden = !isUp;
  turn.textContent = isUp ? timer.dataset.over : turnText;
  if (isUp && hadFocus) button.focus();
}

function resume(ends) {
  timer.dataset.ends = ends;
  button.textContent = idleText;
  button.removeAttribute("aria-disabled");
  showTimeIsUp(false);
  countdown(timer);
}

async function enter() {
  const headers = { Accept: "application/json" };
  const response = await request(enterBar.action, { method: "POST", headers }).catch(() => null);
  const body = await response?.json().catch(() => null);
  if (response?.ok && body) return resume(body.ends);
  const retry = Number(response?.headers.get("retry-after")) || 0;
  // The gate's own page says why there is no way in, and where to go instead.
  if (response && !retry) return enterBar.submit();
  const seconds = Math.ceil((retry || 2) + Math.random());
  const reason = body?.detail;
  const { retryIn, unavailable } = enterBar.dataset;
  turn.textContent = reason ? retryIn.replace("{reason}", reason).replace("{n}", seconds) : unavailable;
  return setTimeout(enter, 1000 * seconds);
}

timer.addEventListener("over", () => showTimeIsUp(true));
// The Enter key in a field would send the form whose button is gone.
holdBar.closest("form").addEventListener("submit", (event) => {
  if (!holdBar.hidden) return;
  event.preventDefault();
  event.stopPropagation();
});
enterBar.addEventListener("submit", (event) => {
  event.preventDefault();
  if (button.hasAttribute("aria-disabled")) return;
  button.textContent = enterBar.dataset.entering;
  button.setAttribute("aria-disabled", "true");
  enter();
});
