// Checks of a page of Markdown that GitHub's parser rendered, in GitHub's style: the name of one, then its files. A check that
// fails ends with an exception.
"use strict";
const assert = require("node:assert/strict");
const path = require("node:path");
const { pathToFileURL } = require("node:url");
const run = require("./run.js");

/** The width of an article on GitHub. */
const WIDTH = 1012;
const modules = process.env.NODE_PATH;
/** What a page of keysunset is made of; no text of the service may add to it. */
const ELEMENTS = "A ARTICLE BLOCKQUOTE BODY CODE DETAILS EM H1 H2 H3 HEAD HTML LI META OL P PRE STRONG STYLE SUMMARY TABLE TBODY TD TH THEAD TITLE TR UL WBR".split(" ");

/** The page with GitHub's style and anchors. */
async function open(browser, file, width) {
  const page = await browser.newPage({ viewport: { width, height: 1000 } });
  await page.goto(pathToFileURL(file).href);
  await page.addStyleTag({ path: path.join(modules, "github-markdown-css/github-markdown.css") });
  await page.addStyleTag({ content: "body { margin: 0 }" });
  await page.evaluate(() => {
    const article = document.createElement("article");
    article.className = "markdown-body";
    article.append(...document.body.childNodes);
    document.body.append(article);
  });
  const headings = page.locator("h1, h2, h3");
  const { default: Slugger } = await import(pathToFileURL(path.join(modules, "github-slugger/index.js")).href);
  const slugger = new Slugger();
  const ids = (await headings.allTextContents()).map((text) => slugger.slug(text));
  await headings.evaluateAll((all, ids) => all.forEach((heading, at) => { heading.id = ids[at]; }), ids);
  return page;
}

const checks = {
  /** Each cell is as wide as what is in it, each table fits the page, each link has a target. */
  async fits(browser, file) {
    const page = await open(browser, file, WIDTH);
    const found = await page.evaluate(() => {
      const elements = [...new Set([...document.querySelectorAll("*")].map((it) => it.tagName))];
      document.querySelectorAll("details").forEach((it) => { it.open = true; });
      const limit = document.querySelector("article").getBoundingClientRect().right;
      const isCut = (it) => it.scrollWidth > it.clientWidth || it.getBoundingClientRect().right > limit + 0.5;
      const tables = [...document.querySelectorAll("table")];
      const blocks = [...document.querySelectorAll("table, th, td, pre, p, li, h1, h2, h3")];
      const links = [...document.querySelectorAll("a")];
      return {
        elements,
        cut: blocks.filter(isCut).map((it) => `${it.tagName} ${it.scrollWidth} of ${it.clientWidth}: ${it.textContent.slice(0, 300)}`),
        columns: Math.max(0, ...tables.map((it) => it.rows[0].cells.length)),
        tables: tables.length,
        links: links.length,
        lost: links.filter((it) => {
          const target = it.getAttribute("href").startsWith("#") && document.getElementById(decodeURIComponent(it.hash.slice(1)));
          return !target || (/^\d+\. /.test(target.textContent) && !target.textContent.endsWith(`. ${it.textContent}`));
        }).map((it) => it.outerHTML),
      };
    });
    assert.deepEqual(found.elements.filter((it) => !ELEMENTS.includes(it)), []);
    assert.deepEqual(found.cut, []);
    assert.deepEqual(found.lost, []);
    assert.ok(found.columns <= 8, `${found.columns} columns`);
    // A link into a folded group opens it.
    const folded = page.locator("details:not([open]) h3").first();
    await page.evaluate(() => document.querySelectorAll("details").forEach((it) => { it.open = false; }));
    if (await folded.count()) {
      await page.evaluate((id) => { location.hash = id; }, await folded.getAttribute("id"));
      assert.ok(await page.evaluate(() => document.querySelector(":target").closest("details").open));
    }
    console.log(`${found.tables} tables, ${found.links} links, ${found.columns} columns`);
  },

  /** As somebody prints it, with the defaults of the browser. */
  async print(browser, file, pdf) {
    const page = await open(browser, file, WIDTH);
    const margin = { top: "1cm", bottom: "1cm", left: "1cm", right: "1cm" };
    await page.pdf({ path: pdf, format: "A4", margin });
  },
};

run(checks);
