// Asks where the order stands until that is final, less and less often; when it has changed the page is loaded again,
// which says it in full. Nothing here pays or stops a payment: the page may be closed at any time.
const page = document.querySelector("[data-order]");
const lost = document.getElementById("lost");
const FIRST = 1000, LONGEST = 10000; // milliseconds
let wait = FIRST;
let next;

function later() {
  clearTimeout(next);
  next = setTimeout(ask, wait * (0.8 + 0.4 * Math.random())); // so that a thousand pages don't ask at once
  wait = Math.min(wait * 1.4, LONGEST);
}

function say(text) {
  lost.textContent = text;
  lost.hidden = !text;
}

async function ask() {
  if (document.hidden) return; // asked again when the page is looked at
  try {
    const answer = await fetch(page.dataset.order, { headers: { Accept: "application/json" } });
    if (!answer.ok) throw new Error(answer.status);
    const { state } = await answer.json();
    say("");
    if (state !== page.dataset.state) return location.reload();
  } catch {
    say(page.dataset.lost);
  }
  later();
}

if (page.dataset.final === "no") {
  document.addEventListener("visibilitychange", () => {
    wait = FIRST;
    if (!document.hidden) ask();
  });
  addEventListener("online", ask);
  later();
}
