#!/usr/bin/env node
// Makes the picture of report.html in the README, a PNG:
//
//     npm install --prefix node playwright-core@1.65.1
//     NODE_PATH=node/node_modules docs/screenshot.js reports/example/report.html docs/report.png
//
// It needs Chromium: `chromium` of Debian, or the path in CHROMIUM. Fonts of the system change the picture.
"use strict";
const path = require("node:path");
const { pathToFileURL } = require("node:url");
const { chromium } = require("playwright-core");

(async () => {
  const [report, picture] = process.argv.slice(2);
  const browser = await chromium.launch({ executablePath: process.env.CHROMIUM || "/usr/bin/chromium", args: ["--no-sandbox"] });
  const page = await browser.newPage({ colorScheme: "light", viewport: { width: 1100, height: 820 } });
  await page.goto(pathToFileURL(path.resolve(report)).href);
  await page.evaluate(() => [...document.querySelectorAll("h3")].find((it) => it.textContent === "Last use by quarter").scrollIntoView());
  await page.screenshot({ path: picture });
  await browser.close();
})();
