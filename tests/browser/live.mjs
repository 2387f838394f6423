// Watches the Live page move, as people see it: both languages, desktop and phone.
//
//   node tests/browser/live.mjs --url http://127.0.0.1:8080 --out target/browser [--chromium PATH] [--deadline-s 60]
//
// Fails when a number does not move in time, a request fails, the console shows an error, the language is not what was
// asked for, something is cut off sideways, or axe finds something serious. Screenshots are kept in either case.

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";

import { findings, launch, listen, SIZES } from "./browser.mjs";

const { values: options } = parseArgs({
  options: {
    url: { type: "string" },
    out: { type: "string", default: "target/browser" },
    chromium: { type: "string", default: process.env.CHROMIUM ?? "/usr/bin/chromium" },
    "deadline-s": { type: "string", default: "60" },
  },
});
if (!options.url) {
  console.error("usage: node live.mjs --url URL [--out DIR] [--chromium PATH] [--deadline-s 60]");
  process.exit(2);
}
const url = options.url.replace(/\/$/, "");
const deadlineMs = Number(options["deadline-s"]) * 1000;

const CASES = [
  { name: "desktop-zh", size: "desktop", lang: "zh-CN", title: "实时 · 邻里" },
  { name: "desktop-en-dark", size: "desktop", lang: "en", theme: "dark", title: "Live · Linli" },
  { name: "phone-zh", size: "phone", lang: "zh-CN", title: "实时 · 邻里" },
  { name: "phone-en-dark", size: "phone", lang: "en", theme: "dark", title: "Live · Linli" },
];

mkdirSync(options.out, { recursive: true });
const browser = await launch(options.chromium);

const failures = [];
try {
  for (const one of CASES) {
    const problems = await watch(one);
    console.log(`${problems.length === 0 ? "ok  " : "FAIL"} ${one.name}`);
    for (const problem of problems) console.error(`     ${problem}`);
    failures.push(...problems);
  }
} finally {
  await browser.close();
}
process.exit(failures.length === 0 ? 0 : 1);

async function watch({ name, size, lang, theme = "light", title }) {
  const problems = [];
  // The business's zone is shown whatever the browser's.
  const context = await browser.newContext({ ...SIZES[size], timezoneId: "America/New_York", locale: lang });
  const page = await context.newPage();
  listen(page, problems);
  try {
    await page.goto(`${url}/live?lang=${lang}${theme === "dark" ? "&theme=dark" : ""}`, { waitUntil: "domcontentloaded" });
    await page.waitForSelector("[data-test=top-row]", { timeout: deadlineMs });
    const drawing = size === "desktop" ? "[role=img] canvas" : "[role=img] svg path";
    await page.waitForSelector(drawing, { state: "attached", timeout: deadlineMs });
    const before = await numbers(page);
    await page.waitForFunction(
      (known) => [...document.querySelectorAll("[data-test=number]")].some((one, i) => one.title !== known[i]),
      before,
      { timeout: deadlineMs },
    );
    await check(page, { lang, title }, problems);
    // What has just lit up is on its way back to its colour.
    await page.waitForFunction(() => document.getAnimations().every((one) => one.effect?.getTiming().iterations === Infinity), null, { timeout: deadlineMs });
    await page.screenshot({ path: join(options.out, `${name}.png`), fullPage: size === "phone" });
    problems.push(...(await findings(page)));
    await walk(page, size, problems);
  } catch (error) {
    problems.push(String(error).split("\n")[0]);
    await page.screenshot({ path: join(options.out, `${name}-failed.png`) }).catch(() => {});
  }
  await context.close();
  return problems;
}

function numbers(page) {
  return page.$$eval("[data-test=number]", (all) => all.map((one) => one.title));
}

async function check(page, { lang, title }, problems) {
  const seen = await page.evaluate(() => ({
    lang: document.documentElement.lang,
    title: document.title,
    wide: document.documentElement.scrollWidth - document.documentElement.clientWidth,
    states: [...document.querySelectorAll("[data-state]")].map((one) => one.dataset.state),
    freshness: document.querySelector("[data-test=freshness]")?.textContent?.trim() ?? "",
    gmv: document.querySelector("[data-metric=gmv]")?.textContent ?? "",
  }));
  if (seen.lang !== lang) problems.push(`lang is "${seen.lang}", not "${lang}"`);
  if (seen.title !== title) problems.push(`title is "${seen.title}"`);
  if (seen.wide > 0) problems.push(`the page is ${seen.wide} px wider than the screen`);
  if (seen.states.some((state) => state !== "ready")) problems.push(`panels are ${seen.states.join(", ")}`);
  if (!/\d\d:\d\d:\d\d/.test(seen.freshness)) problems.push(`freshness says "${seen.freshness}"`);
  if (!/[¥]\d/.test(seen.gmv)) problems.push(`GMV says "${seen.gmv}"`);
}

/** The other ways to look: the table behind the chart, the other list, the other language; the address keeps them. */
async function walk(page, size, problems) {
  await page.click("[data-test=table]");
  await page.waitForSelector("table tbody tr td >> nth=0", { timeout: deadlineMs });
  const inAddress = (part) => page.waitForFunction((text) => location.search.includes(text), part, { timeout: deadlineMs });
  await inAddress("panel=table");
  problems.push(...(await findings(page)));
  await page.click("[data-test=table]");
  const other = (await page.getAttribute("html", "lang")) === "en" ? "zh-CN" : "en";
  await page.click("[data-test=language]");
  await inAddress(`lang=${other}`);
  await page.waitForFunction((lang) => document.documentElement.lang === lang, other, { timeout: deadlineMs });
  await page.reload({ waitUntil: "domcontentloaded" });
  await page.waitForSelector("[data-test=top-row]", { timeout: deadlineMs });
  if ((await page.getAttribute("html", "lang")) !== other) problems.push("a reload forgets the language");
  if (size === "desktop") {
    await page.keyboard.press("?");
    await page.waitForSelector("dialog[open]", { timeout: deadlineMs });
    problems.push(...(await findings(page)));
    await page.keyboard.press("Escape");
    await page.keyboard.press("/");
    const found = await page.evaluate(() => document.activeElement?.closest("[data-search]") !== null);
    if (!found) problems.push("the key / does not lead to the search");
  }
}
