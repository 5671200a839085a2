/* The card frame: card data is typed here, on the sandbox's own origin, and leaves only for the sandbox.
   It talks with stripe.js in the page around it; neither listens to anybody else. */
"use strict";

const SAY = {
  incomplete_number: "Your card number is incomplete.",
  invalid_number: "Your card number is not valid.",
  incomplete_expiry: "Your card's expiry date is incomplete.",
  invalid_expiry_month_past: "Your card's expiry date is in the past.",
  invalid_expiry_year: "Your card's expiry date is not valid.",
  incomplete_cvc: "Your card's security code is incomplete.",
  unreachable: "The payment service could not be reached. Nothing was charged.",
};
const PARENTS = document.body.dataset.parents.split(" ").filter(Boolean);
const PROPERTIES = { colorBackground: "--ground", colorText: "--ink", colorDanger: "--fault", fontFamily: "--text" };
const form = document.getElementById("card");
const fields = { number: form.elements.number, expiry: form.elements.expiry, cvc: form.elements.cvc };
let parentOrigin = null;
let last = "";

const digits = (text) => text.replace(/\D/g, "");
const isAmex = () => /^3[47]/.test(digits(fields.number.value));

function tell(message) {
  if (parentOrigin) window.parent.postMessage({ sandbox: 1, ...message }, parentOrigin);
}

function luhn(number) {
  let sum = 0;
  for (let at = 0; at < number.length; at += 1) {
    let digit = Number(number[number.length - 1 - at]);
    if (at % 2 === 1) digit = digit * 2 > 9 ? digit * 2 - 9 : digit * 2;
    sum += digit;
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
    return luhn(number) ? "" : "invalid_number";
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
    return digits(fields.cvc.value).length === (isAmex() ? 4 : 3) ? "" : "incomplete_cvc";
  },
};

function show(name, code) {
  const field = fields[name];
  field.setAttribute("aria-invalid", String(Boolean(code)));
  document.getElementById(`${field.id}-error`).textContent = code ? SAY[code] : "";
}

function format(name) {
  const field = fields[name];
  const typed = digits(field.value);
  if (field.selectionStart !== field.value.length) return;
  if (name === "number") {
    const groups = isAmex() ? /^(\d{0,4})(\d{0,6})(\d{0,5})/ : /^(\d{0,4})(\d{0,4})(\d{0,4})(\d{0,4})(\d{0,3})/;
    field.value = groups.exec(typed).slice(1).filter(Boolean).join(" ");
  } else if (name === "expiry") {
    const month = /^[2-9]$/.test(typed) ? `0${typed}` : typed.slice(0, 2);
    const year = typed.length === 6 ? typed.slice(4) : typed.slice(2, 4);
    field.value = year ? `${month} / ${year}` : month;
  } else {
    field.value = typed;
  }
}

function change() {
  const values = Object.values(fields).map((field) => field.value);
  const complete = Object.values(CHECKS).every((check) => check() === "");
  const state = { complete, empty: values.every((value) => value === "") };
  if (JSON.stringify(state) === last) return;
  last = JSON.stringify(state);
  tell({ event: "change", ...state });
}

function submit() {
  let error = null;
  for (const [name, check] of Object.entries(CHECKS)) {
    const code = check();
    show(name, code);
    if (code && !error) {
      error = { type: "validation_error", code, message: SAY[code] };
      fields[name].focus();
    }
  }
  return error ? { error } : { selectedPaymentMethod: "card" };
}

function encode(body, value, name) {
  if (value === null || value === undefined || value === "") return;
  if (typeof value === "object") {
    for (const [key, inner] of Object.entries(value)) encode(body, inner, name ? `${name}[${key}]` : key);
  } else {
    body.append(name, String(value));
  }
}

async function token({ key, params }) {
  const { month, year } = expiry();
  const data = params.payment_method_data || {};
  const body = new URLSearchParams({ key });
  encode(body, { ...params, payment_method_data: {
    ...data,
    type: "card",
    card: { number: digits(fields.number.value), exp_month: month, exp_year: year, cvc: digits(fields.cvc.value) },
  } }, "");
  try {
    const answer = await fetch("/v1/confirmation_tokens", { method: "POST", body });
    const thing = await answer.json();
    if (answer.ok) return { confirmationToken: thing };
    const name = { number: "number", exp_month: "expiry", exp_year: "expiry", cvc: "cvc" }[thing.error.param];
    if (name) {
      fields[name].setAttribute("aria-invalid", "true");
      document.getElementById(`${fields[name].id}-error`).textContent = thing.error.message;
    }
    return { error: thing.error };
  } catch {
    return { error: { type: "api_connection_error", message: SAY.unreachable } };
  }
}

function style({ variables = {}, fonts = [] }) {
  for (const [name, property] of Object.entries(PROPERTIES)) {
    const value = String(variables[name] || "").slice(0, 200);
    const kind = name === "fontFamily" ? "font-family" : "color";
    if (value && CSS.supports(kind, value)) document.documentElement.style.setProperty(property, value);
  }
  for (const { family, src, weight = "normal" } of fonts) {
    if (family && src) new FontFace(family, src, { weight }).load().then((face) => document.fonts.add(face), () => {});
  }
}

const ORDERS = {
  hello(order) {
    style(order);
    return { height: document.documentElement.offsetHeight };
  },
  submit,
  token,
  focus: () => fields.number.focus(),
  clear() {
    form.reset();
    for (const name of Object.keys(fields)) show(name, "");
    change();
  },
};

window.addEventListener("message", async (event) => {
  if (event.source !== window.parent || !PARENTS.includes(event.origin)) return;
  const order = event.data;
  if (!order || order.sandbox !== 1 || !Object.hasOwn(ORDERS, order.do)) return;
  parentOrigin = event.origin;
  tell({ id: order.id, result: (await ORDERS[order.do](order)) || {} });
});

for (const [name, field] of Object.entries(fields)) {
  field.addEventListener("input", () => {
    format(name);
    if (field.getAttribute("aria-invalid") === "true") show(name, "");
    change();
  });
  field.addEventListener("blur", () => {
    if (field.value !== "") show(name, CHECKS[name]());
    tell({ event: "blur" });
  });
  field.addEventListener("focus", () => tell({ event: "focus" }));
}
form.addEventListener("submit", (event) => event.preventDefault());
new ResizeObserver(() => tell({ event: "size", height: document.documentElement.offsetHeight })).observe(form);
