// Writes the compressed twins that the server hands out, and holds the page to its budget.
import { readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";

const dist = new URL("../dist/", import.meta.url).pathname;
const BUDGET = { phone: 200_000, desktop: 400_000 };

const files = readdirSync(dist, { recursive: true })
  .map(String)
  .filter((name) => /\.(js|css|html|svg|json)$/.test(name) && statSync(join(dist, name)).isFile());
const size = new Map();
for (const name of files) {
  const plain = readFileSync(join(dist, name));
  const gzip = gzipSync(plain, { level: 9 });
  size.set(name, gzip.length);
  if (name.startsWith(".vite") || plain.length < 512) continue;
  writeFileSync(join(dist, `${name}.gz`), gzip);
  const quality = { [constants.BROTLI_PARAM_QUALITY]: 11 };
  writeFileSync(join(dist, `${name}.br`), brotliCompressSync(plain, { params: quality }));
}

const manifest = JSON.parse(readFileSync(join(dist, ".vite/manifest.json"), "utf8"));
rmSync(join(dist, ".vite"), { recursive: true });

/** What a page loads from these entries: they and all they import. */
function loaded(entries) {
  const seen = new Set();
  const visit = (key) => {
    const chunk = manifest[key];
    if (!chunk || seen.has(chunk.file)) return;
    seen.add(chunk.file);
    (chunk.imports ?? []).forEach(visit);
  };
  entries.forEach(visit);
  return [...seen].filter((file) => file.endsWith(".js")).reduce((sum, file) => sum + (size.get(file) ?? 0), 0);
}

const view = "src/views/live/index.vue";
const modules = "src/views/live/modules";
const first = {
  phone: loaded(["index.html", view, `${modules}/PhoneLive.vue`]),
  desktop: loaded(["index.html", view, `${modules}/DesktopLive.vue`, "src/charts/LineChart.vue"]),
};
let over = false;
for (const [layout, bytes] of Object.entries(first)) {
  const told = `${layout}: ${(bytes / 1000).toFixed(1)} kB of JavaScript, gzip (budget ${BUDGET[layout] / 1000})`;
  console.log(told);
  if (bytes === 0 || bytes > BUDGET[layout]) over = true;
}
if (over) {
  console.error("the page is over its budget");
  process.exit(1);
}
