// The shuffle, as the server calculates it. docs/verifying.md describes the bytes; both sides share test vectors.

const VERSION = "dropsite-shuffle-1";

export const bytesOf = (hex) => {
  const pairs = hex.replaceAll("-", "").match(/../g) ?? [];
  return Uint8Array.from(pairs, (pair) => parseInt(pair, 16));
};

export const hexOf = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");

const u32 = (number) => new Uint8Array([number >>> 24, number >>> 16, number >>> 8, number]);

async function sha256(...parts) {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", await new Blob(parts).arrayBuffer()));
}

/** SHA-256 of the secret, which was published with the announcement. Hex in, hex out. */
export async function commitmentOf(secret) {
  return hexOf(await sha256(bytesOf(secret)));
}

/** The 32 bytes that decide the places of a lobby of n tickets. */
export async function seedOf(drop, secret, n, beacon = "") {
  return sha256(VERSION, new Uint8Array(1), bytesOf(drop), bytesOf(secret), u32(n), bytesOf(beacon));
}

/** The place of an index, 0 being first: drawn for an index below n, the index itself from n on. */
export async function placeOf(seed, index, n) {
  if (index >= n) return index;
  const hash = hexOf(await sha256(seed, u32(index)));
  return Number((BigInt(`0x${hash}`) * BigInt(n)) >> 256n);
}

const MAX_INDEX = 2 ** 32 - 1;

/** The ticket number in what somebody typed, such as 4,000,000; null if it isn't one. */
export function ticketNumber(text) {
  const digits = text.normalize("NFKC").replace(/[\s'’]/g, "");
  if (!/^(\d{1,10}|\d{1,3}([.,]\d{3})+)$/.test(digits)) return null;
  const index = Number(digits.replace(/[.,]/g, ""));
  return index <= MAX_INDEX ? index : null;
}
