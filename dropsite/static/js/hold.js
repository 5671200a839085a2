// Keeps the words about a hold's end true: minutes, then digits; a warning a minute before; at the end the page is
// loaded again and says what became of the hold. While a payment is on its way (data-busy on <html>) it stays put.
const timer = document.querySelector("[data-timer]");
if (timer) {
  const said = timer.querySelector("[data-left]");
  const spoken = document.querySelector("[data-spoken]");
  const words = timer.dataset;
  const skew = Number(words.now) * 1000 - Date.now(); // the server's clock counts
  const tick = () => {
    const left = Math.ceil(Number(words.ends) - (Date.now() + skew) / 1000);
    if (left <= 0) {
      said.textContent = words.over;
      if (!("busy" in document.documentElement.dataset)) {
        clearInterval(beat);
        location.reload();
      }
      return;
    }
    const minutes = Math.floor(left / 60);
    const time = `0:${String(left).padStart(2, "0")}`;
    const form = minutes > 1 ? words.minutes : minutes === 1 ? words.minute : words.seconds;
    const text = form.replace("{minutes}", minutes).replace("{time}", time);
    if (said.textContent !== text) said.textContent = text;
    if (left <= 60 && left > 50 && !spoken.textContent) spoken.textContent = words.warning;
  };
  const beat = setInterval(tick, 1000);
  tick();
}
// A page out of the browser's memory tells of a hold as it was.
addEventListener("pageshow", (event) => event.persisted && location.reload());
