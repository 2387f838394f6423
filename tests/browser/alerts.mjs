// Watches one table being held and cured on the Live page, without a reload: both languages, desktop and phone.
//
//   node tests/browser/alerts.mjs --url http://127.0.0.1:8080 --table shop_0.orders_3 --out target/browser \
//     [--chromium PATH] [--deadline-s 60]
//
// Says `calm` when all pages show no alert, `held` when all show the table, `cured` when none does any more: whoever
// started this makes it so in between.

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";

import { findings, launch, listen, SIZES } from "./browser.mjs";

const { values: options } = parseArgs({
  options: {
    url: { type: "string" },
    table: { type: "string" },
    out: { type: "string", default: "target/browser" },
    chromium: { type: "string", default: process.env.CHROMIUM ?? "/usr/bin/chromium" },
    "deadline-s": { type: "string", default: "60" },
  },
});
if (!options.url || !options.table) {
  console.error("usage: node alerts.mjs --url URL --table DATABASE.TABLE [--out DIR] [--chromium PATH] [--deadline-s 60]");
  process.exit(2);
}
const url = options.url.replace(/\/$/, "");
const timeout = Number(options["deadline-s"]) * 1000;

const CASES = [
  { name: "alert-desktop-zh", size: "desktop", lang: "zh-CN", says: "1 张表已暂停同步" },
  { name: "alert-desktop-en-dark", size: "desktop", lang: "en", theme: "dark", says: "1 table is held by change capture" },
  { name: "alert-phone-zh", size: "phone", lang: "zh-CN", says: "1 张表已暂停同步" },
  { name: "alert-phone-en-dark", size: "phone", lang: "en", theme: "dark", says: "1 table is held by change capture" },
];

mkdirSync(options.out, { recursive: true });
const browser = await launch(options.chromium);
const problems = [];
try {
  const pages = await Promise.all(CASES.map(open));
  console.log("calm");
  await Promise.all(pages.map(held));
  console.log("held");
  await Promise.all(pages.map(cured));
  console.log("cured");
} catch (error) {
  problems.push(String(error).split("\n")[0]);
} finally {
  await browser.close();
}
for (const problem of problems) console.error(problem);
process.exit(problems.length === 0 ? 0 : 1);

async function open({ name, size, lang, theme = "light", says }) {
  // The business's zone is shown whatever the browser's.
  const context = await browser.newContext({ ...SIZES[size], timezoneId: "America/New_York", locale: lang });
  const page = await context.newPage();
  listen(page, problems);
  const heard = page.waitForResponse((response) => response.url().includes("/api/v1/stream"), { timeout });
  await page.goto(`${url}/live?lang=${lang}&theme=${theme}`, { waitUntil: "domcontentloaded" });
  await heard;
  await page.waitForSelector("main", { timeout });
  const known = await page.evaluate(async () => (await fetch("/api/v1/alerts")).json());
  if (known.source !== "ok" || known.total !== 0) problems.push(`${name}: at the beginning ${JSON.stringify(known)}`);
  if (await page.$("[data-test^=alert]")) problems.push(`${name}: something is shown while nothing fires`);
  // Gone after a reload.
  await page.evaluate(() => (globalThis.sameDocument = true));
  return { name, page, size, says };
}

async function held({ name, page, size, says }) {
  await page.waitForSelector("[data-test=alert]", { timeout });
  const seen = await page.evaluate(() => ({
    text: document.querySelector("[data-test=alerts]")?.innerText ?? "",
    status: [...document.querySelectorAll("[role=status]")].map((one) => one.textContent ?? "").join(" "),
    time: document.querySelector("[data-test=alert] time")?.textContent ?? "",
    iso: document.querySelector("[data-test=alert] time")?.dateTime ?? "",
    commands: [...document.querySelectorAll("[data-test=alert] code")].map((one) => one.textContent),
    wide: document.documentElement.scrollWidth - document.documentElement.clientWidth,
  }));
  const shanghai = new Date(Date.parse(seen.iso) + 8 * 3_600_000).toISOString().slice(11, 19);
  const wrong = (what) => problems.push(`${name}: ${what}: ${JSON.stringify(seen)}`);
  if (!seen.text.includes(says) || !seen.text.includes(options.table)) wrong("the table is not named");
  if (!seen.status.includes(says)) wrong("a screen reader is told nothing");
  if (!seen.time.includes(shanghai)) wrong(`the time is not the shop's ${shanghai}`);
  const wanted = [`linli ingest cdc quarantine apply ${options.table}`, `linli ingest cdc snapshot ${options.table}`];
  if (String(seen.commands) !== String(wanted)) wrong("the commands are others");
  if (seen.wide > 0) wrong("the page is wider than the screen");
  problems.push(...(await findings(page)).map((found) => `${name}: ${found}`));
  await page.screenshot({ path: join(options.out, `${name}.png`), fullPage: size === "phone" });
}

async function cured({ name, page }) {
  await page.waitForSelector("[data-test=alerts]", { state: "detached", timeout });
  if (!(await page.evaluate(() => globalThis.sameDocument))) problems.push(`${name}: the page was loaded again`);
}
