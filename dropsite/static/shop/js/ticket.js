// A ticket that comes and one that stays: asks about the one that a link carries in its fragment, and renews the cookie of
// the one that is here, so that it outlives a long lobby.

const FRAGMENT = "#ticket=";
const HOUR_MS = 3_600_000;
// Pages that joined in the same second renew at moments of their own.
const RENEW_AFTER_MS = (6 + 6 * Math.random()) * HOUR_MS;
let renewedAt = 0;
let timer = 0;

/** The index in a ticket: the last four of the bytes that its third part has in base64url. NaN for any other text. */
function indexOf(ticket) {
  try {
    const bytes = atob(ticket.split(".")[2].replace(/-/g, "+").replace(/_/g, "/"));
    return Array.from(bytes.slice(-4)).reduce((sum, byte) => 256 * sum + byte.charCodeAt(0), 0);
  } catch {
    return NaN;
  }
}

/** Take the ticket out of the address, and ask whether to use it. `own` is the index of the one that is here, or null. */
function offerCarried(own) {
  if (!location.hash.startsWith(FRAGMENT)) return;
  const ticket = location.hash.slice(FRAGMENT.length);
  history.replaceState(history.state, "", location.pathname + location.search);
  const form = document.getElementById("carried");
  if (!form || (own !== null && indexOf(ticket) === own)) return; // it is here already
  form.elements.ticket.value = ticket;
  form.elements.replace.value = own ?? "";
  form.querySelector("[data-replaces]").hidden = own === null;
  form.querySelector("[type=button]").onclick = () => {
    form.hidden = true;
    form.elements.ticket.value = "";
  };
  form.hidden = false;
  form.querySelector("[tabindex]").focus();
}

function stored(slug) {
  try {
    return Number(localStorage.getItem(`renewed-${slug}`));
  } catch {
    return renewedAt; // without storage it lasts as long as the page
  }
}

function storeNow(slug) {
  renewedAt = Date.now();
  try {
    localStorage.setItem(`renewed-${slug}`, renewedAt);
  } catch {} // read back from renewedAt
}

/** Renew the ticket if the last time is half a day ago: now, and as long as the page is open. */
async function renewDaily(page) {
  clearTimeout(timer);
  if (page.ticketIndex() === null) return;
  timer = setTimeout(renewDaily, HOUR_MS, page);
  if (Date.now() - stored(page.slug) < RENEW_AFTER_MS) return;
  const { ok } = await page.renew().catch(() => ({}));
  if (!ok) {
    page.forgotten(); // the gate may have deleted an index that belongs to no ticket
    return;
  }
  storeNow(page.slug);
}

/** `page`: slug, ticketIndex(), renew(), forgotten(); whether the ticket isNew, whether the drop isOver. */
export function care(page) {
  offerCarried(page.ticketIndex());
  if (page.isNew) storeNow(page.slug);
  if (!page.isOver) renewDaily(page);
}
