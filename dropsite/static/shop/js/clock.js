// Time: the server's clock, independent of this computer's; times as people read them; the one countdown.

const lang = document.documentElement.lang || "en";
const JUMP_SECONDS = 3; // a larger step back means that somebody has set a clock
let offset = null;

/** Record a reading of the server's clock. It can only be late, so the largest offset is the most exact. */
export function learn(seconds) {
  const seen = seconds - Date.now() / 1000;
  if (offset === null || seen > offset || seen < offset - JUMP_SECONDS) offset = seen;
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
  const units = [["day", 172800], ["hour", 7200], ["minute", 60], ["second", 0]];
  const [name, size] = units.find(([, least]) => seconds >= least);
  const length = { day: 86400, hour: 3600, minute: 60, second: 1 }[name];
  return unit(name).format(Math.max(size ? 1 : 0, Math.ceil(seconds / length)));
}

/** The time left before a deadline: "4 minutes", rounded down so that it never promises too much; at last "1:42". */
export function remaining(seconds) {
  return seconds < 120 ? digits(seconds) : unit("minute").format(Math.floor(seconds / 60));
}

/** "6–9 minutes". */
export function range(least, most) {
  const [from, to] = [Math.max(1, Math.floor(least / 60)), Math.ceil(most / 60)];
  const longest = unit("minute").format(to);
  return from < to ? longest.replace(number(to), `${number(from)}–${number(to)}`) : longest;
}

export const number = (value) => new Intl.NumberFormat(lang).format(value);

/** Count down in an element to its data-ends (Unix seconds): data-text with {time}, at last data-over and "over". */
export function countdown(element) {
  const { ends, text, over } = element.dataset;
  const left = Number(ends) - now();
  const shown = left > 0 ? text.replace("{time}", remaining(left)) : over;
  if (element.textContent !== shown) element.textContent = shown;
  if (left > 0) setTimeout(countdown, 1000, element);
  else element.dispatchEvent(new Event("over"));
}

const FORMATS = {
  day: { weekday: "long", day: "numeric", month: "long", hour: "2-digit", minute: "2-digit" },
  time: { hour: "2-digit", minute: "2-digit" },
};
const ownZone = Intl.DateTimeFormat().resolvedOptions().timeZone;

/** The reader's own variety of the page's language knows the names of their zone: "EST" in en-US, "IST" in en-IN. */
function ownLocale() {
  const isOurs = (language) => language.split("-")[0] === lang.split("-")[0];
  try {
    return Intl.DateTimeFormat.supportedLocalesOf(navigator.languages.filter(isOurs))[0] ?? lang;
  } catch {
    return lang; // some browsers have no languages, or "en-US@posix"
  }
}

const locale = ownLocale();

/** The calendar day, "2026-12-02", of a moment in a zone that is `offset` minutes ahead of UTC. */
const dayOf = (moment, offset) => new Date(moment.getTime() + offset * 60000).toISOString().slice(0, 10);

/**
 * Write the <time data-when> elements below `root` in the reader's own time zone, each with its name; where that differs,
 * the shop's beside it. Offsets are those of the moment, so that days on which clocks change are right.
 */
export function localise(root) {
  for (const element of root.querySelectorAll("time[data-when]")) {
    const { when, zone, offset, time: shopTime } = element.dataset;
    delete element.dataset.when; // once is enough
    if (zone === ownZone) continue; // it says so already
    const moment = new Date(element.dateTime);
    const format = { ...FORMATS[when], hourCycle: "h23", timeZoneName: "short" };
    const own = new Intl.DateTimeFormat(locale, format).format(moment);
    const shopOffset = Number(offset);
    const ownOffset = -moment.getTimezoneOffset();
    const isSameDay = dayOf(moment, ownOffset) === dayOf(moment, shopOffset);
    const shops = isSameDay ? shopTime : element.textContent;
    element.textContent = ownOffset === shopOffset ? own : `${own} (${shops})`;
  }
}
