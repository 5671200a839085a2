// Time: the server's, whatever this computer's clock says, and as people read it.

const lang = document.documentElement.lang || "en";
const JUMP = 3; // seconds: by more than this, somebody has set a clock
let offset = null;

/** Take what the server's clock showed a moment ago. What was seen latest lies nearest: an answer can only be old. */
export function learn(seconds) {
  const seen = seconds - Date.now() / 1000;
  if (offset === null || seen > offset || seen < offset - JUMP) offset = seen;
}

/** Unix seconds by the server's clock. */
export const now = () => Date.now() / 1000 + (offset ?? 0);

/** "12:04", "1:02:03". */
export function digits(seconds) {
  const whole = Math.max(0, Math.ceil(seconds));
  const two = (number) => String(number).padStart(2, "0");
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return `${minutes}:${two(whole % 60)}`;
  return `${Math.floor(minutes / 60)}:${two(minutes % 60)}:${two(whole % 60)}`;
}

const unit = (name) => new Intl.NumberFormat(lang, { style: "unit", unit: name, unitDisplay: "long" });

/** "4 minutes", "50 seconds", "2 days": one unit, rounded up. */
export function spelled(seconds) {
  const [name, size] = [["day", 172800], ["hour", 7200], ["minute", 60], ["second", 0]].find(([, least]) => seconds >= least);
  const length = { day: 86400, hour: 3600, minute: 60, second: 1 }[name];
  return unit(name).format(Math.max(size ? 1 : 0, Math.ceil(seconds / length)));
}

/** "6–9 minutes". */
export function range(least, most) {
  const [from, to] = [Math.max(1, Math.floor(least / 60)), Math.ceil(most / 60)];
  return from < to ? unit("minute").formatRange(from, to) : unit("minute").format(to);
}

export const number = (value) => new Intl.NumberFormat(lang).format(value);

const FORMS = {
  day: { weekday: "long", day: "numeric", month: "long", hour: "2-digit", minute: "2-digit" },
  time: { hour: "2-digit", minute: "2-digit" },
  date: { day: "numeric", month: "long", year: "numeric" },
};

/** Write the <time data-when> elements below `root` in the reader's own zone. */
export function localise(root) {
  for (const element of root.querySelectorAll("time[data-when]")) {
    const moment = new Date(element.dateTime);
    const form = { ...FORMS[element.dataset.when], hourCycle: "h23" };
    element.textContent = new Intl.DateTimeFormat(lang, form).format(moment);
  }
}
