// Shared by pages with a form: a pressed button says what it is doing, and sends once; times in the reader's zone.
// <form data-busy="Holding…">
// <p data-ends="Unix seconds" data-now="Unix seconds" data-text="{time} left" data-over="Over.">

import { countdown, learn, localise } from "./clock.js";

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

// The back button shows the page as it was left, so its forms must be ready to send again.
addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[data-sent]")) {
    delete form.dataset.sent;
    for (const button of form.querySelectorAll("button[data-idle]")) {
      button.textContent = button.dataset.idle;
      button.removeAttribute("aria-disabled");
    }
  }
});

localise(document);
for (const element of document.querySelectorAll("[data-ends]")) {
  learn(Number(element.dataset.now));
  countdown(element);
}
