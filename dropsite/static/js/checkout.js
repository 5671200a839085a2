// Paying: Stripe's card form (or the sandbox's, which speaks the same), a ConfirmationToken, one post, the order page.
const form = document.getElementById("pay");
const button = document.getElementById("button");
const fault = document.getElementById("fault");
const country = form.elements.country;
const words = form.dataset;
let stripe, elements;
let busy = false; // a press is being worked on; others are the same press
let priced = Promise.resolve(); // the quote that is on its way

function say(element, text) {
  element.textContent = text;
  element.hidden = !text;
}

function label(text) {
  button.textContent = text;
  button.setAttribute("aria-disabled", String(busy));
}

function clear() {
  say(fault, "");
  for (const place of form.querySelectorAll("[data-fault]")) mark(place.dataset.fault, "");
}

function mark(name, text) {
  const place = form.querySelector(`[data-fault="${name}"]`);
  if (!place) return null;
  say(place, text);
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

// Shows each refused field's reason next to it and moves to the first; what has no field of its own stands above the bar.
function refuse(detail, errors = []) {
  busy = false;
  delete document.documentElement.dataset.busy;
  label(words.pay);
  const places = errors.map(({ field, detail: reason }) => mark(field, reason)).filter(Boolean);
  say(fault, detail);
  (places[0] || fault).focus();
}

// Asks the browser's own rules first, so that most faults need no journey.
function own() {
  const errors = [];
  for (const input of form.querySelectorAll("input:not([type=hidden]),select"))
    if (!input.checkValidity()) errors.push({ field: input.name, detail: input.validationMessage });
  return errors;
}

function price() {
  const url = `${words.quote}?country=${encodeURIComponent(country.value)}`;
  priced = fetch(url, { headers: { Accept: "application/json" } })
    .then(async (answer) => {
      const quote = await answer.json();
      if (answer.status === 404 || answer.status === 410) return location.reload();
      if (!answer.ok) return refuse(quote.detail, quote.errors);
      for (const place of form.querySelectorAll("[data-sum]")) place.textContent = quote[place.dataset.sum];
      form.elements.shown_total.value = quote.amount;
      words.pay = quote.pay;
      if (!busy) label(quote.pay);
      elements?.update({ amount: quote.amount });
    })
    .catch(() => refuse(words.broken));
  return priced;
}

function dress() {
  const style = getComputedStyle(document.documentElement);
  const colour = (name) => style.getPropertyValue(name).trim();
  const [ground, ink, signal] = ["--ground", "--ink", "--signal"].map(colour);
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

function begin() {
  if (!window.Stripe) return say(fault, words.away);
  stripe = window.Stripe(words.key);
  elements = stripe.elements({
    mode: "payment",
    amount: Number(form.elements.shown_total.value),
    currency: words.currency,
    captureMethod: "manual",
    allowedPaymentMethodTypes: ["card"],
    appearance: dress(),
  });
  const card = elements.create("payment", { fields: { billingDetails: { name: "never", email: "never" } } });
  card.on("ready", () => (button.disabled = false));
  card.on("loaderror", () => say(fault, words.away));
  document.getElementById("card-part").hidden = false;
  card.mount("#card");
}

async function token() {
  const { error: unfinished } = await elements.submit();
  if (unfinished) throw unfinished;
  const billing_details = { name: form.elements.name.value, email: form.elements.email.value };
  const { error, confirmationToken } = await stripe.createConfirmationToken({
    elements,
    params: { payment_method_data: { billing_details } },
  });
  if (error) throw error;
  return confirmationToken.id;
}

async function send() {
  label(words.sending);
  const answer = await fetch(form.action, {
    method: "POST",
    headers: { Accept: "application/json" },
    body: new URLSearchParams(new FormData(form)),
  });
  const said = await answer.json();
  if (answer.status === 202) {
    label(words.leaving);
    location.replace(said.order); // back leads to before the checkout
  } else if (answer.status === 410) {
    location.replace(words.page); // the hold ended; its page says when
  } else {
    await price().catch(() => {});
    refuse(said.detail, said.errors);
  }
}

async function press(event) {
  event.preventDefault();
  if (busy) return;
  clear();
  const errors = own();
  if (errors.length) return refuse(words.faults, errors);
  busy = true;
  document.documentElement.dataset.busy = "";
  label(words.checking);
  try {
    await priced;
    form.elements.confirmation_token.value = await token();
  } catch (error) {
    return refuse(error.message, [{ field: "confirmation_token", detail: error.message }]);
  }
  try {
    await send();
  } catch {
    refuse(words.broken);
  }
}

words.pay = button.textContent;
form.noValidate = true;
form.addEventListener("submit", press);
country.addEventListener("change", price);
if (window.Stripe) begin();
else {
  const script = document.getElementById("stripe");
  script.addEventListener("load", begin);
  script.addEventListener("error", begin);
}
