/* The card frame. Card details are typed here, on the sandbox's own origin, and are sent only to the sandbox.
   It exchanges messages with stripe.js in the parent page; each checks the other's origin and window. */
"use strict";

const MESSAGES = {
  incomplete_number: "Your card number is incomplete.",
  invalid_number: "Your card number is invalid.",
  incomplete_expiry: "Your card's expiry date is incomplete.",
  invalid_expiry_month_past: "Your card's expiry date is in the past.",
  invalid_expiry_year: "Your card's expiry date is invalid.",
  incomplete_cvc: "Your card's security code is incomplete.",
  unreachable: "We couldn't reach the payment service. You haven't been charged.",
};
const PARENTS = document.body.dataset.parents.split(" ").filter(Boolean);
const CSS_VARIABLES = {
  colorBackground: "--background",
  colorText: "--text",
  colorDanger: "--danger",
  fontFamily: "--font",
};
// The field that each parameter in an error of the API belongs to.
const FIELD_OF_PARAM = { number: "number", exp_month: "expiry", exp_year: "expiry", cvc: "cvc" };
const form = document.getElementById("card");
const fields = { number: form.elements.number, expiry: form.elements.expiry, cvc: form.elements.cvc };
let parentOrigin = null;
let lastState = "";

const digits = (text) => text.replace(/\D/g, "");
const isAmex = () => /^3[47]/.test(digits(fields.number.value));

function post(message) {
  if (parentOrigin) window.parent.postMessage({ sandbox: 1, ...message }, parentOrigin);
}

function passesLuhn(number) {
  let sum = 0;
  for (let position = 0; position < number.length; position += 1) {
    let digit = Number(number[number.length - 1 - position]);
    if (position % 2 === 1) digit *= 2;
    sum += digit > 9 ? digit - 9 : digit;
  }
  return sum % 10 === 0;
}

function expiry() {
  const typed = digits(fields.expiry.value);
  const year = typed.length === 6 ? typed.slice(4) : typed.slice(2);
  return { month: Number(typed.slice(0, 2)), year: year.length === 2 ? 2000 + Number(year) : NaN };
}

const CHECKS = {
  number() {
    const number = digits(fields.number.value);
    if (number.length < (isAmex() ? 15 : 14)) return "incomplete_number";
    return passesLuhn(number) ? "" : "invalid_number";
  },
  expiry() {
    const { month, year } = expiry();
    if (!month || Number.isNaN(year)) return "incomplete_expiry";
    const now = new Date();
    if (month > 12 || year > now.getFullYear() + 50) return "invalid_expiry_year";
    const past = year < now.getFullYear() || (year === now.getFullYear() && month < now.getMonth() + 1);
    return past ? "invalid_expiry_month_past" : "";
  },
  cvc() {
    const length = isAmex() ? 4 : 3;
    return digits(fields.cvc.value).length === length ? "" : "incomplete_cvc";
  },
};

function showError(name, code) {
  const field = fields[name];
  field.setAttribute("aria-invalid", String(Boolean(code)));
  document.getElementById(`${field.id}-error`).textContent = code ? MESSAGES[code] : "";
}

function format(name) {
  const field = fields[name];
  const typed = digits(field.value);
  // Formatting moves the caret to the end, so it waits while somebody edits in the middle.
  if (field.selectionStart !== field.value.length) return;
  if (name === "number") {
    let groups = /^(\d{0,4})(\d{0,4})(\d{0,4})(\d{0,4})(\d{0,3})/;
    if (isAmex()) groups = /^(\d{0,4})(\d{0,6})(\d{0,5})/;
    field.value = groups.exec(typed).slice(1).filter(Boolean).join(" ");
  } else if (name === "expiry") {
    const month = /^[2-9]$/.test(typed) ? `0${typed}` : typed.slice(0, 2);
    const year = typed.length === 6 ? typed.slice(4) : typed.slice(2, 4);
    field.value = year ? `${month} / ${year}` : month;
  } else {
    field.value = typed;
  }
}

function reportChange() {
  const values = Object.values(fields).map((field) => field.value);
  const complete = Object.values(CHECKS).every((check) => check() === "");
  const state = { complete, empty: values.every((value) => value === "") };
  if (JSON.stringify(state) === lastState) return;
  lastState = JSON.stringify(state);
  post({ event: "change", ...state });
}

function submit() {
  let error = null;
  for (const [name, check] of Object.entries(CHECKS)) {
    const code = check();
    showError(name, code);
    if (code && !error) {
      error = { type: "validation_error", code, message: MESSAGES[code] };
      fields[name].focus();
    }
  }
  return error ? { error } : { selectedPaymentMethod: "card" };
}

// Stripe's form encoding: { a: { b: 1 } } becomes a[b]=1; empty values are left out.
function encode(body, value, name) {
  if (value === null || value === undefined || value === "") return;
  if (typeof value === "object") {
    for (const [key, inner] of Object.entries(value)) encode(body, inner, name ? `${name}[${key}]` : key);
  } else {
    body.append(name, String(value));
  }
}

async function createToken({ key, params }) {
  const { month, year } = expiry();
  const data = params.payment_method_data || {};
  const body = new URLSearchParams({ key });
  encode(body, { ...params, payment_method_data: {
    ...data,
    type: "card",
    card: { number: digits(fields.number.value), exp_month: month, exp_year: year, cvc: digits(fields.cvc.value) },
  } }, "");
  try {
    const response = await fetch("/v1/confirmation_tokens", { method: "POST", body });
    const result = await response.json();
    if (response.ok) return { confirmationToken: result };
    const name = FIELD_OF_PARAM[result.error.param];
    if (name) {
      fields[name].setAttribute("aria-invalid", "true");
      document.getElementById(`${fields[name].id}-error`).textContent = result.error.message;
    }
    return { error: result.error };
  } catch {
    return { error: { type: "api_connection_error", message: MESSAGES.unreachable } };
  }
}

function applyAppearance({ variables = {}, fonts = [] }) {
  for (const [name, variable] of Object.entries(CSS_VARIABLES)) {
    const value = String(variables[name] || "").slice(0, 200);
    const cssProperty = name === "fontFamily" ? "font-family" : "color";
    if (value && CSS.supports(cssProperty, value)) document.documentElement.style.setProperty(variable, value);
  }
  for (const { family, src, weight = "normal" } of fonts) {
    if (family && src) new FontFace(family, src, { weight }).load().then((face) => document.fonts.add(face), () => {});
  }
}

const COMMANDS = {
  hello(message) {
    applyAppearance(message);
    return { height: document.documentElement.offsetHeight };
  },
  submit,
  token: createToken,
  focus: () => fields.number.focus(),
  clear() {
    form.reset();
    for (const name of Object.keys(fields)) showError(name, "");
    reportChange();
  },
};

window.addEventListener("message", async (event) => {
  if (event.source !== window.parent || !PARENTS.includes(event.origin)) return;
  const message = event.data;
  if (!message || message.sandbox !== 1 || !Object.hasOwn(COMMANDS, message.do)) return;
  parentOrigin = event.origin;
  post({ id: message.id, result: (await COMMANDS[message.do](message)) || {} });
});

for (const [name, field] of Object.entries(fields)) {
  field.addEventListener("input", () => {
    format(name);
    if (field.getAttribute("aria-invalid") === "true") showError(name, "");
    reportChange();
  });
  field.addEventListener("blur", () => {
    if (field.value !== "") showError(name, CHECKS[name]());
    post({ event: "blur" });
  });
  field.addEventListener("focus", () => post({ event: "focus" }));
}
form.addEventListener("submit", (event) => event.preventDefault());
new ResizeObserver(() => post({ event: "size", height: document.documentElement.offsetHeight })).observe(form);
