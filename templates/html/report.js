"use strict";
// All keys of the report: sorted, filtered, in pages of 100. Foreign text becomes text nodes only.
(() => {
  const PAGE = 100;
  const section = document.getElementById("explorer");
  const source = document.getElementById("data");
  if (!section || !source) return;
  const data = JSON.parse(source.textContent);

  // The same characters as `printable` of the program: shown by their number.
  const HIDDEN = /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ufffe\uffff\u{e0000}-\u{e007f}]/gu;
  const printable = (text) => text.replace(/\r\n|[\n\r\t]/g, " ").replace(HIDDEN, (c) => `\\u{${c.codePointAt(0).toString(16)}}`);
  const time = (seconds) => (seconds === null ? "" : new Date(seconds * 1000).toISOString().replace(/^\+0*|\.000Z$/g, (part) => (part[0] === "." ? "Z" : "")));
  const owners = new Map(data.owners.map((owner) => [owner[0], owner]));
  const organizations = data.organizations.map(([deployment, id, name]) => ({ deployment, id, name, label: name ? `${name} (${id})` : id }));

  const keys = data.rows.map(([owner, id, suffix, description, kind, flags, uses, created, used, waiver, note]) => {
    const [, deployment, userId, username, of] = owners.get(owner);
    return {
      id, suffix, description, uses, created, used, of, userId,
      decision: kind >> 5, severity: (kind >> 2) & 7, verdict: kind & 3,
      enabled: flags & 3, isAuditing: (flags & 4) > 0, isFinding: (flags & 8) > 0,
      deployment, owner: username || userId || "",
      waiver: waiver ? data.waivers[waiver - 1] : null, note: note || "",
    };
  });
  const several = data.deployments.length > 1;
  const STATES = ["unknown", "enabled", "disabled"];
  const organizationsOf = (key) => key.of.map((at) => organizations[at].label).join("; ");
  const waived = ([status, day, owner, reason, ticket]) => `${status === "expired" ? "waiver expired on" : "waived until"} ${day} by ${owner}: ${reason}${ticket ? ` (${ticket})` : ""}`;

  // name, title, text of a key, value to sort by where it is not the text, class of the cell
  const COLUMNS = [
    { name: "severity", title: "Severity", text: (key) => data.severities[key.severity][0], rank: (key) => key.severity, style: (key) => `severity ${data.severities[key.severity][0]}` },
    { name: "decision", title: "Plan", text: (key) => data.decisions[key.decision - 1] || "", rank: (key) => key.decision },
    several && { name: "deployment", title: "Deployment", text: (key) => data.deployments[key.deployment], rank: (key) => key.deployment, style: () => "name" },
    { name: "owner", title: "Owner", text: (key) => key.owner, style: () => "wide" },
    { name: "description", title: "Description", text: (key) => key.description, style: () => "wide" },
    { name: "suffix", title: "Ends in", text: (key) => key.suffix, code: true },
    { name: "used", title: "Last used", style: (key) => (key.note ? "wide" : "date"), text: (key) => key.note || time(key.used) || (key.verdict === 2 ? "never" : "unknown"), rank: (key) => (key.used === null ? -Infinity : key.used), short: (key) => key.note || time(key.used).slice(0, 10) || (key.verdict === 2 ? "never" : "unknown") },
    { name: "uses", title: "Uses", text: (key) => (key.uses === null ? "unknown" : String(key.uses)), rank: (key) => (key.uses === null ? -1 : Number(key.uses)), number: true },
    { name: "created", title: "Created", style: () => "date", text: (key) => time(key.created), rank: (key) => (key.created === null ? -Infinity : key.created), short: (key) => time(key.created).slice(0, 10) },
    { name: "state", title: "State", text: (key) => STATES[key.enabled] + (key.isAuditing ? ", used by this audit" : ""), rank: (key) => key.enabled },
    { name: "verdict", title: "Verdict", text: (key) => data.verdicts[key.verdict], rank: (key) => key.verdict, style: () => "date" },
    { name: "id", title: "Key id", text: (key) => key.id, code: true },
    organizations.length > 0 && { name: "organizations", title: "Organizations", text: organizationsOf, short: (key) => key.of.map((at) => organizations[at].name || organizations[at].id).join("; "), style: () => "wide" },
    { name: "action", title: "Action", text: (key) => data.severities[key.severity][1], rank: (key) => key.severity },
    data.waivers.length > 0 && { name: "waiver", title: "Waiver", text: (key) => (key.waiver ? waived(key.waiver) : ""), style: () => "wide" },
  ].filter(Boolean);

  // Elements: make("td", {class: "x"}, "text" or elements)
  const make = (name, attributes, ...children) => {
    const element = document.createElement(name);
    for (const [attribute, value] of Object.entries(attributes || {})) {
      if (value !== false) element.setAttribute(attribute, value === true ? "" : value);
    }
    element.append(...children);
    return element;
  };

  const FILTERS = [
    { name: "severity", title: "Severity", options: data.severities.map(([name]) => name), of: (key) => key.severity },
    { name: "verdict", title: "Verdict", options: data.verdicts, of: (key) => key.verdict },
    { name: "decision", title: "Plan", options: data.decisions, of: (key) => key.decision - 1 },
    { name: "state", title: "State", options: STATES, of: (key) => key.enabled },
  ];

  const initial = () => ({ query: "", checked: Object.fromEntries(FILTERS.map((filter) => [filter.name, new Set()])), deployment: -1, organization: "", findings: false, sort: "severity", isDescending: false, page: 1 });
  let state = initial();
  let shown = [];

  const readHash = () => {
    const hash = location.hash.slice(1);
    if (!hash.includes("=")) return false;
    const given = new URLSearchParams(hash);
    state = initial();
    state.query = given.get("q") || "";
    for (const filter of FILTERS) {
      for (const name of (given.get(filter.name) || "").split(",")) {
        const at = filter.options.indexOf(name);
        if (at >= 0) state.checked[filter.name].add(at);
      }
    }
    state.deployment = data.deployments.indexOf(given.get("deployment"));
    state.organization = given.get("organization") || "";
    state.findings = given.get("findings") === "1";
    const sort = given.get("sort") || "severity";
    const column = COLUMNS.find((it) => it.name === sort.replace(/^-/, ""));
    if (column) [state.sort, state.isDescending] = [column.name, sort.startsWith("-")];
    state.page = Math.max(1, Number.parseInt(given.get("page"), 10) || 1);
    return true;
  };

  const writeHash = () => {
    const given = new URLSearchParams();
    if (state.query) given.set("q", state.query);
    for (const filter of FILTERS) {
      const names = [...state.checked[filter.name]].sort((one, other) => one - other).map((at) => filter.options[at]);
      if (names.length) given.set(filter.name, names.join(","));
    }
    if (state.deployment >= 0) given.set("deployment", data.deployments[state.deployment]);
    if (state.organization) given.set("organization", state.organization);
    if (state.findings) given.set("findings", "1");
    if (state.sort !== "severity" || state.isDescending) given.set("sort", (state.isDescending ? "-" : "") + state.sort);
    if (state.page > 1) given.set("page", state.page);
    const hash = given.toString();
    if (hash) history.replaceState(null, "", `#${hash}`);
    else if (location.hash.includes("=")) history.replaceState(null, "", "#all-keys");
  };

  // The organizations that a text means: the one of that name or id, or else all that contain it.
  const organizationFilter = () => {
    const wanted = state.organization.trim().toLowerCase();
    if (!wanted) return null;
    const matches = (test) => organizations.flatMap((it, at) => ([it.label, it.id, it.name || ""].some((text) => test(text.toLowerCase())) ? [at] : []));
    const exact = matches((text) => text === wanted);
    return new Set(exact.length ? exact : matches((text) => text.includes(wanted)));
  };

  const select = () => {
    const query = state.query.trim().toLowerCase();
    const checked = FILTERS.map((filter) => [filter.of, state.checked[filter.name]]).filter(([, set]) => set.size > 0);
    const wanted = organizationFilter();
    shown = keys.filter((key) => {
      if (state.findings && !key.isFinding) return false;
      if (state.deployment >= 0 && key.deployment !== state.deployment) return false;
      if (!checked.every(([of, set]) => set.has(of(key)))) return false;
      if (wanted && !key.of.some((at) => wanted.has(at))) return false;
      if (!query) return true;
      if (key.haystack === undefined) key.haystack = `${key.owner}\n${key.userId || ""}\n${key.id}\n${key.suffix}\n${key.description}`.toLowerCase();
      return key.haystack.includes(query);
    });
    sort();
  };

  const compare = (one, other) => (one < other ? -1 : one > other ? 1 : 0);
  const latest = (one, other) => compare(other.used === null ? -Infinity : other.used, one.used === null ? -Infinity : one.used);
  const sort = () => {
    const column = COLUMNS.find((it) => it.name === state.sort);
    const value = column.rank || ((key) => column.text(key).toLowerCase());
    const sign = state.isDescending ? -1 : 1;
    const ranked = shown.map((key) => [value(key), key]);
    ranked.sort(([one, a], [other, b]) => sign * compare(one, other) || a.severity - b.severity || latest(a, b) || compare(a.id, b.id));
    shown = ranked.map(([, key]) => key);
  };

  // The same rule as in keys.csv: a text that a spreadsheet would run gets a `'`, also behind a separator and there behind quotes.
  const UNSHOWN = /[\s\u0000-\u001f\u007f-\u009f\p{M}\p{Cf}\u2065\u115f\u1160\u2800\u3164\uffa0]/u;
  const isFormula = (part, isFirst) => {
    if (/^[\t\r]/.test(part)) return true;
    const first = [...part].find((c) => !UNSHOWN.test(c) && (c !== '"' || isFirst));
    return first !== undefined && "=+-@\uff1d\uff0b\uff0d\uff20".includes(first);
  };
  const guard = (text) => {
    let start = text.match(/^'*/)[0].length;
    for (const c of text.slice(start)) {
      if (!UNSHOWN.test(c)) break;
      start += c.length;
    }
    const end = start + text.slice(start).search(/[,;\t|\n\r]/) + 1;
    const first = end > start ? text.slice(0, end) : text;
    const parts = [first, ...text.slice(first.length).split(/(?<=[,;\t|\n\r])/)];
    const guarded = (part, index) => (isFormula(part.replace(/^'+/, ""), index === 0) ? `'${part}` : part);
    return parts.filter(Boolean).map(guarded).join("");
  };
  const field = (text) => {
    const guarded = guard(text);
    return /[",\n\r]/.test(guarded) ? `"${guarded.replace(/"/g, '""')}"` : guarded;
  };
  const csv = () => [COLUMNS.map((column) => column.name), ...shown.map((key) => COLUMNS.map((column) => column.text(key)))].map((row) => `${row.map(field).join(",")}\n`).join("");

  const status = make("p", { role: "status" });
  const body = make("tbody");
  const heads = COLUMNS.map((column) => {
    const button = make("button", { type: "button" }, column.title);
    button.addEventListener("click", () => {
      state.isDescending = state.sort === column.name ? !state.isDescending : ["used", "uses", "created"].includes(column.name);
      state.sort = column.name;
      state.page = 1;
      sort();
      render();
    });
    return make("th", { scope: "col", class: column.number ? "number" : false }, button);
  });
  const table = make("table", { id: "keys" }, make("thead", {}, make("tr", {}, ...heads)), body);

  const cell = (key, column) => {
    const text = printable((column.short || column.text)(key));
    const style = column.style ? column.style(key) : column.number ? "number" : false;
    return make("td", { class: style }, column.code ? make("code", {}, text) : text);
  };

  const render = () => {
    const pages = Math.max(1, Math.ceil(shown.length / PAGE));
    state.page = Math.min(state.page, pages);
    const start = (state.page - 1) * PAGE;
    body.replaceChildren(...shown.slice(start, start + PAGE).map((key) => make("tr", {}, ...COLUMNS.map((column) => cell(key, column)))));
    COLUMNS.forEach((column, at) => {
      if (column.name === state.sort) heads[at].setAttribute("aria-sort", state.isDescending ? "descending" : "ascending");
      else heads[at].removeAttribute("aria-sort");
    });
    const range = shown.length ? `Keys ${start + 1} to ${Math.min(start + PAGE, shown.length)} of ${shown.length}` : "No key";
    const filtered = shown.length < keys.length ? `, filtered from ${keys.length}` : "";
    const capped = keys.length < data.total ? `; this page has the ${keys.length} worst of ${data.total} keys` : "";
    status.textContent = range + filtered + capped;
    for (const [button, page] of steps(pages)) {
      button.disabled = page === state.page || page < 1 || page > pages;
      button.dataset.page = page;
    }
    number.value = state.page;
    number.max = pages;
    of.textContent = ` of ${pages}`;
    writeHash();
  };

  const number = make("input", { type: "number", min: 1, id: "page-number" });
  const of = make("span");
  const buttons = ["First", "Previous", "Next", "Last"].map((name) => make("button", { type: "button", "aria-label": `${name} page` }, name));
  const steps = (pages) => [1, state.page - 1, state.page + 1, pages].map((page, at) => [buttons[at], page]);
  const go = (page) => {
    state.page = Math.max(1, Number.parseInt(page, 10) || 1);
    render();
  };
  buttons.forEach((button) => button.addEventListener("click", () => go(button.dataset.page)));
  number.addEventListener("change", () => go(number.value));

  const update = () => {
    state.page = 1;
    select();
    render();
  };
  let timer = 0;
  const soon = () => {
    clearTimeout(timer);
    timer = setTimeout(update, 150);
  };

  const search = make("input", { type: "search", id: "search", autocomplete: "off", spellcheck: "false" });
  search.addEventListener("input", () => {
    state.query = search.value;
    soon();
  });
  const organization = make("input", { type: "search", id: "organization", list: "organizations", autocomplete: "off", spellcheck: "false" });
  organization.addEventListener("input", () => {
    state.organization = organization.value;
    soon();
  });
  const deployment = make("select", { id: "deployment" }, make("option", { value: "-1" }, "all"), ...data.deployments.map((name, at) => make("option", { value: at }, printable(name))));
  deployment.addEventListener("change", () => {
    state.deployment = Number(deployment.value);
    update();
  });
  const findings = make("input", { type: "checkbox", id: "findings" });
  findings.addEventListener("change", () => {
    state.findings = findings.checked;
    update();
  });
  const boxes = FILTERS.map((filter) => filter.options.map((name, at) => {
    const box = make("input", { type: "checkbox", id: `${filter.name}-${name}` });
    box.addEventListener("change", () => {
      if (box.checked) state.checked[filter.name].add(at);
      else state.checked[filter.name].delete(at);
      update();
    });
    return box;
  }));
  const groups = FILTERS.map((filter, group) => make("fieldset", {}, make("legend", {}, filter.title), ...filter.options.map((name, at) => make("label", { for: `${filter.name}-${name}` }, boxes[group][at], ` ${name}`))));

  const showState = () => {
    search.value = state.query;
    organization.value = state.organization;
    deployment.value = state.deployment;
    findings.checked = state.findings;
    FILTERS.forEach((filter, at) => boxes[at].forEach((box, option) => {
      box.checked = state.checked[filter.name].has(option);
    }));
  };
  const reset = make("button", { type: "button" }, "Remove all filters");
  reset.addEventListener("click", () => {
    state = { ...initial(), sort: state.sort, isDescending: state.isDescending };
    showState();
    update();
  });

  const copied = make("span", { role: "status" });
  const copy = make("button", { type: "button", id: "copy" }, "Copy as CSV");
  copy.addEventListener("click", async () => {
    const text = csv();
    const done = (await copyText(text)) ? `${shown.length} rows copied` : "The browser does not allow copying. Use keys.csv.";
    copied.textContent = ` ${done}`;
  });
  const copyText = async (text) => {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch {
      // Without https there is no clipboard, but there is a selection.
      const area = make("textarea", { "aria-hidden": "true", readonly: true });
      area.value = text;
      document.body.append(area);
      area.select();
      const isCopied = document.execCommand("copy");
      area.remove();
      copy.focus();
      return isCopied;
    }
  };

  const labelled = (title, input) => make("label", { class: "field", for: input.id }, title, input);
  const controls = make("div", { class: "controls" },
    labelled("Search owner, key id, last 12 digits, description", search),
    ...groups,
    ...(several ? [labelled("Deployment", deployment)] : []),
    ...(organizations.length ? [labelled("Organization", organization), make("datalist", { id: "organizations" }, ...organizations.slice(0, 1000).map((it) => make("option", { value: it.label })))] : []),
    make("label", { for: "findings" }, findings, " findings only"),
    reset);
  const pager = make("div", { class: "controls" }, ...buttons.slice(0, 2), make("label", { for: "page-number" }, "Page ", number, of), ...buttons.slice(2), copy, copied);
  document.getElementById("without-script").remove();
  section.append(controls, status, pager, make("section", { class: "scroll", "aria-label": "Table: All keys", tabindex: "0" }, table));

  const begin = () => {
    const isGiven = readHash();
    showState();
    select();
    render();
    return isGiven;
  };
  addEventListener("hashchange", () => location.hash.includes("=") && begin());
  if (begin()) document.getElementById("all-keys").scrollIntoView();
})();
