// Paying: Stripe's card form (or the sandbox's, with the same API), a ConfirmationToken, one POST, the order page.

import { request } from "./request.js";

const form = document.getElementById("pay");
const button = document.getElementById("button");
const summary = document.getElementById("error");
const country = form.elements.country;
const texts = form.dataset;
const sums = document.getElementById("sums");
const away = document.getElementById("away"); // the card form didn't load
const stale = document.getElementById("stale"); // the total is another country's
const PAY_TIMEOUT_MS = 30_000; // patient: what was sent may still arrive
const SLOW_MS = 8000; // after which a card form that isn't there counts as blocked
let stripe;
let elements;
let card;
let cardTimer;
let tries = 0; // to load Stripe's script
let priced = { value: country.value, name: countryName() }; // the country whose total is shown
let asked = 0; // counts the prices asked for, so that an old answer can't replace a newer one
let busy = false; // a payment is being sent; pressing again is the same press
let quote = Promise.resolve(); // the latest prices that were asked for

function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function show(element, text) {
  setText(element, text);
  element.hidden = !text;
}

function setButton(text) {
  button.textContent = text;
  button.setAttribute("aria-disabled", String(busy));
}

function clearErrors() {
  show(summary, "");
  for (const place of form.querySelectorAll("[data-error]")) markField(place.dataset.error, "");
}

/** Show or clear a field's error; returns what to focus. */
function markField(name, text) {
  const place = form.querySelector(`[data-error="${name}"]`);
  if (!place) return null;
  show(place, text);
  const input = form.elements[name];
  if (!input || input.type === "hidden") return place;
  if (text) {
    input.setAttribute("aria-invalid", "true");
    input.setAttribute("aria-describedby", place.id);
  } else {
    input.removeAttribute("aria-invalid");
    input.removeAttribute("aria-describedby");
  }
  return input;
}

/** Show each field's error beside it and the summary above the button, and move to the first field. */
function refuse(detail, errors = []) {
  busy = false;
  delete document.documentElement.dataset.busy;
  setButton(texts.pay);
  const places = errors.map(({ field, detail: reason }) => markField(field, reason)).filter(Boolean);
  show(summary, detail);
  (places[0] || summary).focus();
}

/** The errors that the browser's own rules find without a request. */
function browserErrors() {
  const errors = [];
  for (const input of form.querySelectorAll("input:not([type=hidden]),select"))
    if (!input.checkValidity()) errors.push({ field: input.name, detail: input.validationMessage });
  return errors;
}

function countryName() {
  return country.selectedOptions[0]?.textContent.trim() ?? "";
}

/** Mark the total as another country's, or no longer. The focus stays: nothing was sent. */
function markStale(isStale) {
  const text = texts.stale.replace("{country}", countryName()).replace("{before}", priced.name);
  setText(stale.firstElementChild, text);
  stale.hidden = !isStale;
  sums.classList.toggle("stale", isStale);
}

function showPrices(prices, shown) {
  priced = shown;
  for (const place of form.querySelectorAll("[data-sum]")) setText(place, prices[place.dataset.sum]);
  form.elements.shown_total.value = prices.amount;
  texts.pay = prices.pay;
  if (!busy) setButton(prices.pay);
  elements?.update({ amount: prices.amount });
  markStale(false);
}

/** Ask for the prices of the chosen country. Without an answer, the old total stays and says whose it is. */
function updatePrices() {
  const number = ++asked;
  const shown = { value: country.value, name: countryName() };
  const url = `${texts.quote}?country=${encodeURIComponent(shown.value)}`;
  quote = request(url, { headers: { Accept: "application/json" } })
    .then(async (response) => {
      if (number !== asked) return;
      if (response.status === 404 || response.status === 410) return location.reload();
      if (!response.ok) throw new Error(response.status);
      const prices = await response.json();
      if (number === asked) showPrices(prices, shown);
    })
    .catch(() => number === asked && markStale(shown.value !== priced.value));
  return quote;
}

/** Stripe's card form in the colours of this page. */
function appearance() {
  const style = getComputedStyle(document.documentElement);
  const names = ["--ground", "--ink", "--signal"];
  const [ground, ink, signal] = names.map((name) => style.getPropertyValue(name).trim());
  return {
    theme: "flat",
    labels: "above",
    variables: {
      colorPrimary: ink, colorBackground: ground, colorText: ink, colorTextSecondary: ink,
      colorTextPlaceholder: ink, colorDanger: signal, iconColor: ink, borderRadius: "0px",
      fontFamily: '"Host Grotesk", system-ui, sans-serif', fontSizeBase: "16px", gridRowSpacing: "16px",
    },
    rules: {
      ".Label": { fontSize: "13px", lineHeight: "16px" },
      ".Input": { border: "0", borderBottom: `1px solid ${ink}`, boxShadow: "none", padding: "12px 0" },
      ".Input:focus": { outline: `3px solid ${ink}`, outlineOffset: "3px", boxShadow: "none" },
      ".Input--invalid": { borderBottom: `3px solid ${signal}`, boxShadow: "none" },
    },
  };
}

function sayAway() {
  clearTimeout(cardTimer);
  away.hidden = false;
}

function mountCardForm() {
  stripe = window.Stripe(texts.key);
  elements = stripe.elements({
    mode: "payment",
    amount: Number(form.elements.shown_total.value),
    currency: texts.currency,
    captureMethod: "manual",
    allowedPaymentMethodTypes: ["card"],
    appearance: appearance(),
  });
  card?.destroy();
  const mounted = elements.create("payment", { fields: { billingDetails: { name: "never", email: "never" } } });
  card = mounted;
  mounted.on("ready", () => {
    if (card !== mounted) return;
    clearTimeout(cardTimer);
    away.hidden = true;
    button.disabled = false;
  });
  mounted.on("loaderror", () => card === mounted && sayAway());
  document.getElementById("card-part").hidden = false;
  mounted.mount("#card");
}

/** A content blocker may leave a Stripe() that throws, or that gives nothing. */
function tryCardForm() {
  if (!button.disabled) return; // an earlier try was only slow
  try {
    mountCardForm();
  } catch {
    sayAway();
  }
}

/** The script is added here, not in the page: it may have failed before anybody could listen. */
function loadCardForm() {
  away.hidden = true;
  clearTimeout(cardTimer);
  cardTimer = setTimeout(sayAway, SLOW_MS);
  if (window.Stripe) return tryCardForm();
  const script = document.createElement("script");
  script.addEventListener("load", tryCardForm);
  script.addEventListener("error", sayAway);
  // The same address would only join the request that hangs.
  script.src = tries ? `${texts.stripe}?try=${tries}` : texts.stripe;
  tries += 1;
  document.head.append(script);
}

async function createToken() {
  const { error: incomplete } = await elements.submit();
  if (incomplete) throw incomplete;
  const billing_details = { name: form.elements.name.value, email: form.elements.email.value };
  const { error, confirmationToken } = await stripe.createConfirmationToken({
    elements,
    params: { payment_method_data: { billing_details } },
  });
  if (error) throw error;
  return confirmationToken.id;
}

async function send() {
  setButton(texts.sending);
  const body = new URLSearchParams(new FormData(form));
  const options = { method: "POST", headers: { Accept: "application/json" }, body };
  const response = await request(form.action, options, PAY_TIMEOUT_MS);
  const answer = await response.json();
  if (response.status === 202) {
    setButton(texts.leaving);
    location.replace(answer.order); // the back button leads to the page before the checkout
  } else if (response.status === 410) {
    location.replace(texts.page); // the hold ended; its page says when
  } else {
    await updatePrices();
    refuse(answer.detail, answer.errors);
  }
}

async function pay(event) {
  event.preventDefault();
  if (busy) return;
  clearErrors();
  const errors = browserErrors();
  if (errors.length) return refuse(texts.errors, errors);
  const agreed = form.elements.shown_total.value;
  busy = true;
  document.documentElement.dataset.busy = "";
  setButton(texts.checking);
  await quote;
  if (!stale.hidden) await updatePrices();
  if (!stale.hidden) return refuse(texts.unpriced);
  if (form.elements.shown_total.value !== agreed) return refuse(texts.changed);
  try {
    form.elements.confirmation_token.value = await createToken();
  } catch (error) {
    return refuse(error.message, [{ field: "confirmation_token", detail: error.message }]);
  }
  try {
    await send();
  } catch {
    refuse(texts.broken);
  }
}

texts.pay = button.textContent;
form.noValidate = true;
form.addEventListener("submit", pay);
country.addEventListener("change", updatePrices);
stale.querySelector("button").addEventListener("click", updatePrices);
away.querySelector("button").addEventListener("click", loadCardForm);
loadCardForm();
document.querySelector(".without-script").remove();
