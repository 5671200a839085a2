// The check page: redo the draw in this browser, from what the page publishes.

import { number } from "./clock.js";
import { commitmentOf, hexOf, placeOf, seedOf } from "./shuffle.js";

const page = document.querySelector("[data-check]");
const { drop, secret, commitment, n } = page.dataset;
const verdict = page.querySelector("[data-verdict]");
const form = page.querySelector("[data-ask]");
const answer = page.querySelector("[data-answer]");
const field = form.elements.namedItem("index");
const size = Number(n);

async function tell(seed) {
  const index = Number(field.value);
  const valid = field.value !== "" && field.validity.valid;
  const words = index < size ? page.dataset.place : page.dataset.late;
  const place = valid ? await placeOf(seed, index, size) : 0;
  answer.textContent = valid ? words.replace("{place}", number(place)).replace("{n}", number(size)) : "";
}

if (globalThis.crypto?.subtle) {
  const seed = await seedOf(drop, secret, size);
  const matches = (await commitmentOf(secret)) === commitment;
  verdict.textContent = matches ? page.dataset.matches : page.dataset.differs;
  verdict.classList.toggle("fault", !matches);
  page.querySelector("[data-seed]").textContent = hexOf(seed);
  const own = document.cookie.split("; ").find((pair) => pair.startsWith(`${page.dataset.indexCookie}=`));
  if (own) field.value = own.split("=")[1];
  form.hidden = false;
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("input", () => tell(seed));
  await tell(seed);
}
