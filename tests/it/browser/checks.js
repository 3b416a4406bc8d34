// The checks of tests/it/browser.rs: the name of one, then its files. A check that fails ends with an exception.
"use strict";
const assert = require("node:assert/strict");
const fs = require("node:fs");
const http = require("node:http");
const { pathToFileURL } = require("node:url");
const run = require("./run.js");

const KEY_ROWS = "#keys tbody tr";

/** A page in a browser of its own, and what it printed and requested. */
async function open(browser, url, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  const page = await context.newPage();
  const seen = { messages: [], requests: [] };
  page.on("console", (message) => seen.messages.push(message.text()));
  page.on("pageerror", (error) => seen.messages.push(error.message));
  page.on("dialog", (dialog) => { seen.messages.push(`dialog: ${dialog.message()}`); dialog.dismiss(); });
  page.on("request", (request) => seen.requests.push(request.url()));
  await page.goto(url);
  return { page, seen };
}

/** As an artifact of a server with these headers. */
async function served(file, headers, use) {
  const server = http.createServer((request, response) => {
    response.writeHead(request.url === "/report.html" ? 200 : 404, { "content-type": "text/html; charset=utf-8", ...headers });
    response.end(fs.readFileSync(file));
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  try {
    return await use(`http://127.0.0.1:${server.address().port}/report.html`);
  } finally {
    server.close();
  }
}

/** Rows of a CSV without line breaks in its fields being lost. */
function parsed(csv) {
  const rows = [[]];
  for (const [, quoted, plain, end] of csv.matchAll(/(?:"((?:[^"]|"")*)"|([^",\n]*))(,|\n|$)/g)) {
    if (rows.at(-1) === null) break;
    rows.at(-1).push(quoted === undefined ? plain : quoted.replaceAll('""', '"'));
    if (end === "\n") rows.push([]);
    if (end === "") break;
  }
  rows.pop();
  const [header, ...records] = rows;
  return records.map((record) => Object.fromEntries(header.map((name, at) => [name, record[at]])));
}
const keysOf = (file) => parsed(fs.readFileSync(file, "utf8")).filter((row) => row.key_id !== "");

const status = (page) => page.locator("#explorer > [role=status]").innerText();
const settled = (page) => page.waitForTimeout(250);
const column = (page, title) => page.evaluate((wanted) => {
  const at = [...document.querySelectorAll("#keys thead th")].findIndex((th) => th.textContent === wanted);
  return [...document.querySelectorAll("#keys tbody tr")].map((row) => row.cells[at].textContent);
}, title);

/** What every reader of the static part has to see. */
async function assertStatic(page) {
  const text = await page.locator("body").innerText();
  for (const part of ["INCOMPLETE", "requested = read + not read", "Not read", "Users that were not read", "SHA-256 of keys.csv", "The table of all keys needs JavaScript"]) {
    assert.ok(text.includes(part), part);
  }
  assert.equal(await page.locator("#keys").count(), 0);
  for (const svg of await page.locator("svg").all()) assert.ok((await svg.boundingBox()).width > 100, "a chart has its size");
  const fills = await page.locator("svg rect").evaluateAll((all) => new Set(all.map((it) => getComputedStyle(it).fill)).size);
  assert.ok(fills > 3, "charts have their colours");
}

const CHECKS = {
  async without_script(browser, file) {
    const { page, seen } = await open(browser, pathToFileURL(file).href, { javaScriptEnabled: false });
    await assertStatic(page);
    assert.deepEqual(seen.messages, []);
    assert.equal(seen.requests.length, 1);
  },

  async as_jenkins_serves_it(browser, file) {
    const policy = "sandbox; default-src 'none'; img-src 'self'; style-src 'self'";
    await served(file, { "content-security-policy": policy }, async (url) => {
      const { page, seen } = await open(browser, url);
      await assertStatic(page);
      assert.deepEqual(seen.requests, [url]);
    });
  },

  async on_paper(browser, file) {
    const { page } = await open(browser, pathToFileURL(file).href);
    await page.emulateMedia({ media: "print" });
    assert.equal(await page.locator("#explorer").isVisible(), false);
    assert.equal(await page.locator("thead").first().evaluate((it) => getComputedStyle(it).display), "table-header-group");
    const wide = await page.evaluate(() => document.documentElement.scrollWidth);
    assert.ok(wide <= 1280, `${wide} pixels`);
    const pdf = await page.pdf({ format: "A4" });
    assert.ok(pdf.length > 20000);
    fs.writeFileSync(`${file}.pdf`, pdf);
    const text = require("node:child_process").spawnSync("pdftotext", ["-layout", `${file}.pdf`, "-"], { encoding: "utf8" });
    if (text.error) {
      assert.equal(process.env.KEYSUNSET_CI, undefined, "pdftotext has to be installed");
      return;
    }
    const numbers = (await page.locator("section[aria-labelledby=scope] > p strong").innerText()).replace(/\s+/g, " ");
    for (const part of [numbers, "INCOMPLETE", "Keys by severity", "For the auditor", "Sign-off"]) assert.ok(text.stdout.replace(/\s+/g, " ").includes(part), part);
    assert.ok(!text.stdout.includes("Copy as CSV"));
  },

  async hostile_texts(browser, file, csv) {
    const { page, seen } = await open(browser, pathToFileURL(file).href, { permissions: ["clipboard-read", "clipboard-write"] });
    const expected = keysOf(csv);
    assert.equal(await page.locator(KEY_ROWS).count(), expected.length);
    assert.equal(await page.locator("main b, main script, main img, main iframe, main a:not([href^='#'])").count(), 0);
    assert.ok(!/[\u202a-\u202e\u2066-\u2069\ufeff\u200b\u0000]/.test(await page.locator("body").innerText()));
    const shown = await column(page, "Description");
    assert.ok(shown.includes("</script><b>") && shown.includes("🚀 é \\u{202e}"), JSON.stringify(shown));
    await page.locator("#copy").click();
    await page.getByText(`${expected.length} rows copied`).waitFor();
    const copied = parsed(await page.evaluate(() => navigator.clipboard.readText()));
    const byId = new Map(copied.map((row) => [row.id, row]));
    assert.equal(byId.size, expected.length);
    for (const row of expected) {
      const copy = byId.get(row.key_id);
      const same = (text) => text.replace(/\r\n?/g, "\n");
      assert.equal(same(copy.description), same(row.description), row.key_id);
      assert.equal(copy.severity, row.severity);
      assert.equal(copy.uses, row.used_count || "unknown");
      assert.equal(copy.created, row.created_at);
      if (row.last_used) assert.equal(copy.used, row.last_used);
    }
    assert.deepEqual(seen.messages, []);
    assert.equal(seen.requests.length, 1);
  },

  async filters(browser, file, csv) {
    const url = pathToFileURL(file).href;
    const { page, seen } = await open(browser, url);
    const all = keysOf(csv);
    const is = async (rows, what) => {
      await settled(page);
      assert.match(await status(page), new RegExp(` of ${rows.length}(,|$)`), what);
      const ids = new Set(rows.map((row) => row.key_id));
      for (const id of await column(page, "Key id")) assert.ok(ids.has(id), `${what}: ${id}`);
    };
    assert.equal(await page.locator(KEY_ROWS).count(), 100, "a page has 100");
    await is(all, "all");
    const severities = await column(page, "Severity");
    const order = ["critical", "high", "medium", "low", "info"];
    assert.deepEqual(severities, [...severities].sort((one, other) => order.indexOf(one) - order.indexOf(other)), "worst first");
    await page.getByRole("button", { name: "Last page" }).click();
    assert.equal(await page.locator(KEY_ROWS).count(), all.length % 100);
    assert.equal(new URL(page.url()).hash, "#page=2");
    await page.getByLabel("critical", { exact: true }).check();
    await is(all.filter((row) => row.severity === "critical"), "critical");
    await page.getByLabel("high", { exact: true }).check();
    await is(all.filter((row) => ["critical", "high"].includes(row.severity)), "critical and high");
    await page.getByLabel("used-after-cutoff", { exact: true }).check();
    await page.locator("#organization").fill("Example Payments");
    const payments = all.filter((row) => ["critical", "high"].includes(row.severity) && row.org_names.split(";").includes("Example Payments"));
    assert.ok(payments.length > 0 && payments.length < 57);
    await is(payments, "an organization");
    const link = page.url();
    await page.getByRole("button", { name: "Remove all filters" }).click();
    for (const [query, found] of [["grafana", (row) => /grafana/i.test(row.description)], [all[5].key_suffix, (row) => row.key_suffix === all[5].key_suffix], [all[7].key_id, (row) => row.key_id === all[7].key_id], [all[9].username.toUpperCase(), (row) => row.username === all[9].username]]) {
      await page.getByLabel(/^Search/).fill(query);
      await is(all.filter(found), query);
    }
    await page.getByRole("button", { name: "Remove all filters" }).click();
    await page.getByRole("button", { name: "Last used", exact: true }).click();
    const head = page.locator("#keys th[aria-sort]");
    assert.equal(await head.count(), 1);
    assert.equal(await head.getAttribute("aria-sort"), "descending");
    const latest = all.map((row) => row.last_used).filter(Boolean).sort().reverse().slice(0, 100).map((time) => time.slice(0, 10));
    assert.deepEqual(await column(page, "Last used"), latest);
    await page.getByRole("button", { name: "Last used", exact: true }).click();
    assert.equal(await head.getAttribute("aria-sort"), "ascending");
    await page.getByRole("button", { name: "Remove all filters" }).click();
    await page.getByLabel("disabled", { exact: true }).check();
    await is(all.filter((row) => row.enabled === "false"), "disabled");
    assert.match(new URL(page.url()).hash, /state=disabled/);
    // A link opens the same rows.
    const linked = await open(browser, link);
    assert.match(await status(linked.page), new RegExp(` of ${payments.length},`));
    await linked.page.evaluate(() => { location.hash = "severity=low"; });
    await settled(linked.page);
    assert.match(await status(linked.page), new RegExp(` of ${all.filter((row) => row.severity === "low").length},`));
    assert.deepEqual([...seen.messages, ...linked.seen.messages], []);
  },

  async accessible(browser, file) {
    for (const colorScheme of ["light", "dark"]) {
      for (const width of [1280, 380]) {
        const { page } = await open(browser, pathToFileURL(file).href, { colorScheme, viewport: { width, height: 900 }, bypassCSP: true });
        await page.addScriptTag({ path: require.resolve("axe-core/axe.min.js") });
        const { violations } = await page.evaluate(() => window.axe.run());
        assert.deepEqual(violations.map((it) => [it.id, it.nodes.slice(0, 3).map((node) => node.html)]), [], `${colorScheme} ${width}`);
        const wide = await page.evaluate(() => document.documentElement.scrollWidth);
        assert.ok(wide <= width, `the page is ${wide} pixels wide in a window of ${width}`);
      }
    }
  },

  async many(browser, file) {
    const started = performance.now();
    const { page, seen } = await open(browser, pathToFileURL(file).href);
    await page.locator(KEY_ROWS).first().waitFor();
    const first = performance.now() - started;
    const nodes = await page.evaluate(() => document.querySelectorAll("*").length);
    assert.ok(nodes < 12000, `${nodes} elements`);
    assert.equal(await page.locator(KEY_ROWS).count(), 100);
    const timed = (action) => page.evaluate(action);
    const sorted = await timed(() => {
      const start = performance.now();
      [...document.querySelectorAll("#keys th button")].find((it) => it.textContent === "Owner").click();
      document.body.getBoundingClientRect();
      return performance.now() - start;
    });
    const filtered = await timed(() => {
      const start = performance.now();
      document.getElementById("severity-high").click();
      document.body.getBoundingClientRect();
      return performance.now() - start;
    });
    const searched = await timed(() => new Promise((resolve) => {
      const search = document.getElementById("search");
      const line = document.querySelector("#explorer > [role=status]");
      const start = performance.now();
      new MutationObserver(() => resolve(performance.now() - start)).observe(line, { childList: true });
      search.value = "00000000123";
      search.dispatchEvent(new Event("input"));
    }));
    assert.deepEqual(seen.messages, []);
    assert.equal(seen.requests.length, 1);
    const empty = await open(browser, "data:text/html,<p>empty");
    const before = performance.now();
    await empty.page.goto("data:text/html,<p>empty page");
    const nothing = performance.now() - before;
    const round = (time) => Math.round(time);
    console.log(`${nodes} elements; ms: first rows ${round(first)}, empty page ${round(nothing)}, sort ${round(sorted)}, filter ${round(filtered)}, search ${round(searched)}`);
  },
};

run(CHECKS);
