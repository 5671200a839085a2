// What a drop's page concludes from the status document, as drops/line/status.py does. Time and chance are handed in.

export const OVER = ["sold out", "closed", "cancelled"];
const UNKNOWN_AFTER = 15; // seconds: an older document says nothing any more
const FAR = 600; // seconds before the line opens, the page only looks now and then
const FAR_POLL = 300;
const LONGEST_BACKOFF = 30;
const POLL = { least: 2, most: 30, share: 20 };

/** Whether `fresh` may replace `known`: (epoch, tick) only grows. */
export function isNewer(fresh, known) {
  return !known || fresh.epoch > known.epoch || (fresh.epoch === known.epoch && fresh.tick >= known.tick);
}

export const isKnown = (status, now) => Boolean(status) && now - status.now <= UNKNOWN_AFTER;

/** The phase now: the clock opens lobby and drop by itself, everything else comes from the document or the page. */
export function phaseAt(phase, { lobby, opens }, now) {
  if (phase === "announced" && now >= lobby) return now >= opens ? "opening" : "lobby";
  return phase === "lobby" && now >= opens ? "opening" : phase;
}

/** The name of what is shown: a phase, or where somebody with a ticket stands. `place` is null before the draw. */
export function standing({ phase, index, place, cursor }) {
  if (index === null || phase === "paused" || OVER.includes(phase)) return phase;
  if (phase === "announced" || phase === "lobby") return "in";
  if (phase === "opening" || place === null) return "drawing";
  return place < cursor ? "turn" : "waiting";
}

/** [shortest, longest] likely wait in seconds; null while nobody is being let in. */
export function wait(place, { cursor, rate }) {
  if (place < cursor) return [0, 0];
  if (rate <= 0) return null;
  const expected = (place - cursor + 1) / rate;
  return [expected / 1.25, expected * 1.5];
}

/** Seconds until the next look. Before an opening everybody comes back within 3 s after it, at a second of their own. */
export function pause({ status, phase, times, place, now, hidden, trouble, chance }) {
  if (trouble) return Math.min(LONGEST_BACKOFF, 2 ** trouble) * (0.5 + chance);
  const { least, most, share } = status?.poll ?? POLL;
  const placed = place !== null && status;
  const expected = placed && wait(place, status);
  if (hidden) return expected && expected[1] < 120 ? 15 : 60;
  if (phase === "announced" || phase === "lobby") {
    const ahead = (phase === "announced" ? times.lobby : times.opens) - now;
    return ahead > FAR ? FAR_POLL : Math.min(most, Math.max(0, ahead) + Math.max(1, 3 * chance));
  }
  if (phase === "opening") return least + chance;
  const wanted = expected ? expected[0] / share : placed ? place - status.cursor + 1 : most;
  return Math.min(Math.max(wanted, least), most) * (0.8 + 0.4 * chance);
}
