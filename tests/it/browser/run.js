// Runs one of the checks of a file in a browser of its own: the name of the check, then its files.
"use strict";
const fs = require("node:fs");
const path = require("node:path");
const { chromium } = require("playwright-core");

function findChromium() {
  const named = process.env.KEYSUNSET_CHROMIUM;
  if (named.includes("/")) return named;
  return process.env.PATH.split(":").map((folder) => path.join(folder, named)).find((it) => fs.existsSync(it));
}

module.exports = async (checks) => {
  const [name, ...files] = process.argv.slice(2);
  // As root, Chromium has no sandbox of its own.
  const browser = await chromium.launch({ executablePath: findChromium(), args: ["--no-sandbox"] });
  try {
    await checks[name](browser, ...files);
  } catch (error) {
    console.error(error);
    process.exitCode = 1;
  } finally {
    await browser.close();
  }
};
