// How long a hold lasts: the countdown, a warning a minute before the end, and at the end the page again, which says what
// became of the hold. While a payment is being sent (data-busy on <html>) the page stays.

import { countdown, learn, now } from "./clock.js";

const WARNING_SECONDS = 60;
const timer = document.querySelector("[data-ends]");

function reload() {
  if ("busy" in document.documentElement.dataset) setTimeout(reload, 1000);
  else location.reload();
}

if (timer) {
  learn(Number(timer.dataset.now));
  timer.addEventListener("over", reload);
  countdown(timer);
  const untilWarning = Number(timer.dataset.ends) - WARNING_SECONDS - now();
  const warning = document.querySelector("[data-warning]");
  const warn = () => { warning.textContent = warning.dataset.warning; };
  if (untilWarning > 0) setTimeout(warn, 1000 * untilWarning);
}
// A page restored from the browser's memory shows the hold as it was.
addEventListener("pageshow", (event) => event.persisted && location.reload());
