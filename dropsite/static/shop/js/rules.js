// What a drop's page concludes from the status document, by the same rules as the server (status.py). Pure: time and
// jitter are passed in.

export const OVER = ["sold out", "closed", "cancelled"];
const FRESH_SECONDS = 15; // an older document says nothing any more
const FAR_SECONDS = 600; // longer before the line opens, the page polls only now and then
const FAR_POLL_SECONDS = 300;
const MAX_BACKOFF_SECONDS = 30;
const DEFAULT_POLL = { least: 2, most: 30, share: 20, pace: 0 };
const SPEED_UP = 1.25; // as holds are released or paid, the pace may rise by a quarter
const SLOW_DOWN = 1.5; // or fall by a third

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
  if (index === null || OVER.includes(phase)) return phase;
  if (phase === "announced" || phase === "lobby") return "joined";
  if (phase === "opening") return "drawing";
  if (place === null) return "unplaced"; // no status has arrived yet
  if (place >= cursor) return "waiting";
  return phase === "paused" ? "called" : "turn";
}

/** The pieces that are free or may come back. */
export function piecesLeft({ editions }) {
  return editions.reduce((sum, { free, held }) => sum + free + held, 0);
}

/** The share of called shoppers who came in; 1 if that isn't known. */
const showRate = ({ cursor, entered = cursor }) => (cursor ? Math.min(1, entered / cursor) : 1);

/** Nobody has been called for half a minute, although shoppers wait. */
export const isStandingStill = ({ phase, pace }) => phase === "live" && pace === 0;

/** [shortest, longest] likely wait in seconds; null without a measured pace, or if nothing may be free by then. */
export function likelyWait(place, status) {
  const ahead = place - status.cursor;
  if (ahead < 0) return [0, 0];
  const free = status.editions.reduce((sum, edition) => sum + edition.free, 0);
  if (!status.pace || ahead * showRate(status) >= free) return null;
  const expected = (ahead + 1) / status.pace;
  return [expected / SPEED_UP, expected * SLOW_DOWN];
}

/** Seconds until the next poll. After an opening, every page polls within 3 s, each at a moment of its own. */
export function pollDelay({ status, phase, times, place, now, hidden, failures, jitter }) {
  if (failures) return Math.min(MAX_BACKOFF_SECONDS, 2 ** failures) * (0.5 + jitter);
  const { least, most, share, pace = 0 } = status?.poll ?? DEFAULT_POLL;
  const places = place === null || !status ? Infinity : Math.max(0, place - status.cursor + 1); // until the turn
  const isSoon = places === 0 || (pace > 0 && (places / pace) * SLOW_DOWN < 120);
  if (hidden) return isSoon ? 15 : 60;
  if (phase === "announced" || phase === "lobby") {
    const ahead = (phase === "announced" ? times.lobby : times.opens) - now;
    if (ahead > FAR_SECONDS) return FAR_POLL_SECONDS;
    return Math.min(most, Math.max(0, ahead) + Math.max(1, 3 * jitter));
  }
  if (phase === "opening") return least + jitter;
  const wanted = pace > 0 ? places / pace / SPEED_UP / share : places;
  return Math.min(Math.max(wanted, least), most) * (0.8 + 0.4 * jitter);
}
