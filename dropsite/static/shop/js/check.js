// The check page: repeats the draw in this browser, from what the page publishes.

import { number } from "./clock.js";
import { commitmentOf, hexOf, placeOf, seedOf, ticketNumber } from "./shuffle.js";

const page = document.querySelector("[data-check]");
const { drop, secret, commitment, n } = page.dataset;
const verdict = page.querySelector("[data-verdict]");
const form = page.querySelector("[data-place-form]");
const answer = page.querySelector("[data-answer]");
const field = form.elements.namedItem("index");
const size = Number(n);

async function showPlace(seed) {
  const index = ticketNumber(field.value);
  if (index === null) {
    answer.textContent = "";
    return;
  }
  const place = await placeOf(seed, index, size);
  const text = index < size ? page.dataset.place : page.dataset.late;
  answer.textContent = text.replace("{place}", number(place)).replace("{n}", number(size));
}

if (globalThis.crypto?.subtle) {
  const seed = await seedOf(drop, secret, size);
  const matches = (await commitmentOf(secret)) === commitment;
  verdict.textContent = matches ? page.dataset.matches : page.dataset.differs;
  verdict.classList.toggle("error", !matches);
  page.querySelector("[data-seed]").textContent = hexOf(seed);
  const own = document.cookie.split("; ").find((pair) => pair.startsWith(`${page.dataset.indexCookie}=`));
  if (own) field.value = own.split("=")[1];
  form.hidden = false;
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("input", () => showPlace(seed));
  await showPlace(seed);
}
