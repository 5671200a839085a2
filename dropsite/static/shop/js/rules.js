// What a drop's page concludes from the status document, by the same rules as the server (status.py). Pure: time and
// jitter are passed in.

export const OVER = ["sold out", "closed", "cancelled"];
const FRESH_SECONDS = 15; // an older document says nothing any more
const FAR_SECONDS = 600; // longer before the line opens, the page polls only now and then
const FAR_POLL_SECONDS = 300;
const MAX_BACKOFF_SECONDS = 30;
const DEFAULT_POLL = { least: 2, most: 30, share: 20 };

/** Whether `fresh` may replace `known`: (epoch, tick) only grows. */
export function isNewer(fresh, known) {
  return !known || fresh.epoch > known.epoch || (fresh.epoch === known.epoch && fresh.tick >= known.tick);
}

export const isFresh = (status, now) => Boolean(status) && now - status.now <= FRESH_SECONDS;

/** The phase now: lobby and drop open by the clock, everything else comes from the document or the page. */
export function phaseAt(phase, { lobby, opens }, now) {
  if (phase === "announced" && now >= lobby) return now >= opens ? "opening" : "lobby";
  return phase === "lobby" && now >= opens ? "opening" : phase;
}

/** The name of the state that the page shows: a phase, or a ticket's progress. `place` is null before the draw. */
export function pageState({ phase, index, place, cursor }) {
  if (index === null || phase === "paused" || OVER.includes(phase)) return phase;
  if (phase === "announced" || phase === "lobby") return "joined";
  if (phase === "opening" || place === null) return "drawing";
  return place < cursor ? "turn" : "waiting";
}

/** [shortest, longest] likely wait in seconds; null while nobody is being admitted. */
export function likelyWait(place, { cursor, rate }) {
  if (place < cursor) return [0, 0];
  if (rate <= 0) return null;
  const expected = (place - cursor + 1) / rate;
  return [expected / 1.25, expected * 1.5];
}

/** Seconds until the next poll. After an opening, every page polls within 3 s, each at a moment of its own. */
export function pollDelay({ status, phase, times, place, now, hidden, failures, jitter }) {
  if (failures) return Math.min(MAX_BACKOFF_SECONDS, 2 ** failures) * (0.5 + jitter);
  const { least, most, share } = status?.poll ?? DEFAULT_POLL;
  const placed = place !== null && status;
  const expected = placed && likelyWait(place, status);
  if (hidden) return expected && expected[1] < 120 ? 15 : 60;
  if (phase === "announced" || phase === "lobby") {
    const ahead = (phase === "announced" ? times.lobby : times.opens) - now;
    if (ahead > FAR_SECONDS) return FAR_POLL_SECONDS;
    return Math.min(most, Math.max(0, ahead) + Math.max(1, 3 * jitter));
  }
  if (phase === "opening") return least + jitter;
  let wanted = most;
  if (expected) wanted = expected[0] / share;
  else if (placed) wanted = place - status.cursor + 1;
  return Math.min(Math.max(wanted, least), most) * (0.8 + 0.4 * jitter);
}
