// 3-D Secure: the bank's page, shown over this one by Stripe's script, or as a page of its own that leads back. What the
// shopper did there is known from Stripe alone: this page only asks for the order's status again.

import { askNow } from "./order.js";

const SLOW_MS = 8000; // after which Stripe's script counts as blocked
const part = document.getElementById("bank");
const button = part.querySelector("button");
const problem = part.querySelector("[data-away]");

function load() {
  if (window.Stripe) return Promise.resolve();
  return new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = part.dataset.stripe;
    script.addEventListener("load", resolve);
    script.addEventListener("error", reject);
    setTimeout(reject, SLOW_MS);
    document.head.append(script);
  });
}

async function confirm() {
  button.disabled = true;
  problem.hidden = true;
  try {
    await load();
    await window.Stripe(part.dataset.key).handleNextAction({ clientSecret: part.dataset.secret });
    askNow("?bank=done");
  } catch {
    problem.textContent = problem.dataset.away;
    problem.hidden = false;
    problem.focus();
  }
  button.disabled = false;
}

button.addEventListener("click", confirm);
confirm();
