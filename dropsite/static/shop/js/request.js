// Requests that end: a server that doesn't answer is the same as one that can't be reached.

const TIMEOUT_MS = 8000;

/** fetch() that is aborted in the end; AbortSignal.timeout() is missing in older browsers. */
export function request(url, options = {}, timeout = TIMEOUT_MS) {
  const controller = new AbortController();
  setTimeout(() => controller.abort(), timeout);
  return fetch(url, { ...options, signal: controller.signal });
}
