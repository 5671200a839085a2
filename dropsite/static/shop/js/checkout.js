// Paying: Stripe's card form (or the sandbox's, with the same API), a ConfirmationToken, one POST, the order page.

const form = document.getElementById("pay");
const button = document.getElementById("button");
const summary = document.getElementById("error");
const country = form.elements.country;
const texts = form.dataset;
let stripe;
let elements;
let busy = false; // a payment is being sent; pressing again is the same press
let quote = Promise.resolve(); // the latest prices that were asked for

function show(element, text) {
  element.textContent = text;
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

function updatePrices() {
  const url = `${texts.quote}?country=${encodeURIComponent(country.value)}`;
  quote = fetch(url, { headers: { Accept: "application/json" } })
    .then(async (response) => {
      const prices = await response.json();
      if (response.status === 404 || response.status === 410) return location.reload();
      if (!response.ok) return refuse(prices.detail, prices.errors);
      for (const place of form.querySelectorAll("[data-sum]")) place.textContent = prices[place.dataset.sum];
      form.elements.shown_total.value = prices.amount;
      texts.pay = prices.pay;
      if (!busy) setButton(prices.pay);
      elements?.update({ amount: prices.amount });
    })
    .catch(() => refuse(texts.broken));
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

function mountCardForm() {
  if (!window.Stripe) return show(summary, texts.away);
  stripe = window.Stripe(texts.key);
  elements = stripe.elements({
    mode: "payment",
    amount: Number(form.elements.shown_total.value),
    currency: texts.currency,
    captureMethod: "manual",
    allowedPaymentMethodTypes: ["card"],
    appearance: appearance(),
  });
  const card = elements.create("payment", { fields: { billingDetails: { name: "never", email: "never" } } });
  card.on("ready", () => (button.disabled = false));
  card.on("loaderror", () => show(summary, texts.away));
  document.getElementById("card-part").hidden = false;
  card.mount("#card");
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
  const response = await fetch(form.action, {
    method: "POST",
    headers: { Accept: "application/json" },
    body: new URLSearchParams(new FormData(form)),
  });
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
  busy = true;
  document.documentElement.dataset.busy = "";
  setButton(texts.checking);
  try {
    await quote;
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
if (window.Stripe) mountCardForm();
else {
  const script = document.getElementById("stripe");
  script.addEventListener("load", mountCardForm);
  script.addEventListener("error", mountCardForm);
}
