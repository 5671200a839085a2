// node unpack.mjs FOLDER: unpack the Chromium of node_modules/@sparticuz/chromium. The package's own unpacking writes to
// /tmp, with rights for its first user only.
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { brotliDecompressSync } from "node:zlib";

const source = "node_modules/@sparticuz/chromium/bin";
const out = process.argv[2];
mkdirSync(out, { recursive: true });
for (const archive of ["al2023.tar.br", "swiftshader.tar.br", "fonts.tar.br"]) {
  execFileSync("tar", ["-x", "-C", out], { input: brotliDecompressSync(readFileSync(`${source}/${archive}`)) });
}
writeFileSync(`${out}/chromium`, brotliDecompressSync(readFileSync(`${source}/chromium.br`)), { mode: 0o755 });
