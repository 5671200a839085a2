// What every page with a form needs: a pressed button says what it is doing, once; times in the reader's zone.
// <form data-busy="Holding…">; <p data-ends="unix seconds" data-say="{time} left" data-over="Over."> counts down.

import { localise, now, spelled } from "./clock.js";

document.addEventListener("submit", (event) => {
  const form = event.target;
  const button = event.submitter ?? form.querySelector("button");
  if (!form.dataset.busy || !button) return;
  if (form.dataset.sent) {
    event.preventDefault();
    return;
  }
  form.dataset.sent = "1";
  button.dataset.idle = button.textContent;
  button.textContent = form.dataset.busy;
  button.setAttribute("aria-disabled", "true");
});

// Come back by the back button: the page is as it was left, and may be sent again.
addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[data-sent]")) {
    delete form.dataset.sent;
    for (const button of form.querySelectorAll("button[data-idle]")) {
      button.textContent = button.dataset.idle;
      button.removeAttribute("aria-disabled");
    }
  }
});

export function count(element) {
  const left = Number(element.dataset.ends) - now();
  const text = left > 0 ? element.dataset.say.replace("{time}", spelled(left)) : element.dataset.over;
  if (element.textContent !== text) element.textContent = text;
  if (left > 0) setTimeout(count, 1000, element);
}

localise(document);
document.querySelectorAll("[data-ends]").forEach(count);
