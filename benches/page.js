#!/usr/bin/env node
// How fast report.html is in Chromium, beside a plain table of the same rows:
//
//     node benches/page.js demo-reports/report.html
//
// It needs playwright-core (NODE_PATH) and Chromium (`chromium` of Debian, or the path in CHROMIUM). docs/benchmarks.md has the
// numbers.
"use strict";
const fs = require("node:fs");
const os = require("node:os");
const path = require("node:path");
const { pathToFileURL } = require("node:url");
const { chromium } = require("playwright-core");

const ROUNDS = 5;
const median = (times) => times.sort((one, other) => one - other)[Math.floor(times.length / 2)];

/** Milliseconds until the first row is there and painted. */
async function opened(browser, url, row) {
  const page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
  page.setDefaultTimeout(600000);
  const start = performance.now();
  await page.goto(url, { waitUntil: "commit", timeout: 600000 });
  if (row) await page.locator(row).first().waitFor();
  await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve))));
  return [performance.now() - start, page];
}

/** Milliseconds of an action in the page, with layout and paint. */
const acted = (page, action) => page.evaluate(async (source) => {
  const start = performance.now();
  await eval(source)();
  await new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));
  return performance.now() - start;
}, `(${action})`);

/** The rows of the data as one table without script. */
function plainTable(report) {
  const data = JSON.parse(report.split('id="data">')[1].split("</script>")[0]);
  const owners = new Map(data.owners.map((owner) => [owner[0], owner]));
  const escape = (text) => String(text ?? "").replace(/[<>&]/g, (c) => `&#${c.codePointAt(0)};`);
  const time = (seconds) => (seconds === null ? "" : new Date(seconds * 1000).toISOString().slice(0, 10));
  const cells = ([owner, id, suffix, description, kind, flags, uses, created, used]) => [data.severities[(kind >> 2) & 7][0], data.verdicts[kind & 3], data.severities[(kind >> 2) & 7][1], owners.get(owner)[3], description, suffix, time(used), uses, time(created), flags & 3, id, owners.get(owner)[4].map((at) => data.organizations[at][2]).join("; ")];
  const rows = data.rows.map((row) => `<tr>${cells(row).map((cell) => `<td>${escape(cell)}</td>`).join("")}</tr>`);
  const [style] = report.split("<style>")[1].split("</style>");
  return [data.rows.length, `<!DOCTYPE html><meta charset="utf-8"><style>${style}</style><table id="keys"><tbody>${rows.join("\n")}</tbody></table>`];
}

(async () => {
  const [file] = process.argv.slice(2);
  const report = fs.readFileSync(file, "utf8");
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "keysunset-page-"));
  const [keys, table] = plainTable(report);
  const [plain, empty] = ["plain.html", "empty.html"].map((name) => path.join(folder, name));
  fs.writeFileSync(plain, table);
  fs.writeFileSync(empty, "<!DOCTYPE html><title>empty</title><p>empty");
  const browser = await chromium.launch({ executablePath: process.env.CHROMIUM || "/usr/bin/chromium", args: ["--no-sandbox"] });
  const times = { empty: [], first: [], sort: [], filter: [], search: [] };
  for (let round = 0; round < ROUNDS; round += 1) {
    const [nothing, none] = await opened(browser, pathToFileURL(empty).href);
    times.empty.push(nothing);
    await none.close();
    // The policy of the page forbids `eval`, which the clocks below are.
    const context = await browser.newContext({ bypassCSP: true, viewport: { width: 1280, height: 900 } });
    const [first, page] = await opened({ newPage: () => context.newPage() }, pathToFileURL(path.resolve(file)).href, "#keys tbody tr");
    times.first.push(first);
    times.sort.push(await acted(page, () => [...document.querySelectorAll("#keys th button")].find((it) => it.textContent === "Owner").click()));
    times.filter.push(await acted(page, () => document.getElementById("severity-high").click()));
    times.search.push(await acted(page, () => new Promise((resolve) => {
      const search = document.getElementById("search");
      new MutationObserver(resolve).observe(document.querySelector("#explorer > [role=status]"), { childList: true });
      search.value = "a1";
      search.dispatchEvent(new Event("input"));
    })));
    await context.close();
  }
  const [whole, page] = await opened(browser, pathToFileURL(plain).href, "tbody tr:last-child");
  const elements = await page.evaluate(() => document.querySelectorAll("*").length);
  await browser.close();
  const shown = Object.entries(times).map(([name, all]) => `${name} ${Math.round(median(all))} ms`);
  console.log(`${keys} keys, ${report.length} characters; medians of ${ROUNDS}: ${shown.join(", ")}`);
  console.log(`plain table of the same rows: ${Math.round(whole)} ms, ${elements} elements`);
  fs.rmSync(folder, { recursive: true });
})();
