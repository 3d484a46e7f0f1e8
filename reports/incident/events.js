/* The event table: columns of arrays, only the rows in sight are in the document. */
async function loadEvents() {
  const grid = $("grid");
  if (!grid) return;
  const e = JSON.parse(await unpack("event-data"));
  const size = e.t.length, ROW = 24;
  const times = new Float64Array(size);
  for (let i = 0, at = e.t0; i < size; i++) { at += e.t[i]; times[i] = at; } // microseconds, as differences
  let haystack = null; // built at the first search: lower-cased, one string a record
  const order = Uint32Array.from({ length: size }, (_, i) => i).sort((a, b) => times[a] - times[b] || a - b); // they came by service
  let shown = order, active = -1;

  const choices = (id, first, values) => {
    const node = $(id);
    for (const [value, text] of [...first, ...values]) node.append(new Option(text, value));
    node.addEventListener("change", filter);
  };
  choices("f-service", [["", say("all_services")]], e.services.map((s, i) => [i, s]));
  choices("f-severity", [["", say("all_severities")], ["17", say("errors")], ["13", say("warnings")]], []);
  choices("f-problem", [["", say("all_problems")], ["any", say("any_problem")]], e.problems.map((p, i) => [i, p]).filter(([, p]) => p));

  const head = element("div", { class: "row hd", role: "row", "aria-rowindex": "1" }, ...page.columns.map((text, i) => element("span", { role: "columnheader", class: i === 2 || i === 3 ? "hide" : "" }, text)));
  const pad = element("div", { class: "pad", role: "rowgroup" });
  grid.append(element("div", { role: "rowgroup" }, head), pad);
  head.style.position = "sticky";

  function row(at) {
    const i = shown[at], severity = e.severities[e.v[i]];
    const tone = severity[1] >= 17 ? "error" : severity[1] >= 13 ? "warning" : "soft";
    const node = element("div", { class: `row${at === active ? " at" : ""}`, role: "row", id: `event-${at}`, "aria-rowindex": at + 2, "aria-selected": at === active },
      element("span", { role: "gridcell", class: "soft" }, clock(times[i] / 1000, "ms")),
      element("span", { role: "gridcell", title: e.services[e.s[i]] }, page.short[e.services[e.s[i]]] ?? e.services[e.s[i]]),
      element("span", { role: "gridcell", class: `hide ${tone}` }, severity[0]),
      element("span", { role: "gridcell", class: `hide ${e.p[i] ? tone : "soft"}` }, e.problems[e.p[i]] || ""),
      element("span", { role: "gridcell", class: "msg" }, e.m[i]));
    node.style.top = `${at * ROW}px`;
    node.addEventListener("click", () => choose(at));
    return node;
  }
  function paint() {
    const first = Math.max(0, Math.floor(grid.scrollTop / ROW) - 8);
    const last = Math.min(shown.length, first + Math.ceil((grid.clientHeight || 480) / ROW) + 16);
    const rows = [];
    for (let at = first; at < last; at++) rows.push(row(at));
    if (!shown.length) rows.push(element("div", { class: "row", role: "row" }, element("span", { role: "gridcell" }, say("no_match"))));
    pad.style.height = `${Math.max(1, shown.length) * ROW}px`;
    pad.replaceChildren(...rows);
    grid.setAttribute("aria-rowcount", shown.length + 1);
  }
  function choose(at) {
    if (at < 0 || at >= shown.length) return;
    active = at;
    const top = at * ROW, room = grid.clientHeight - ROW;
    if (top < grid.scrollTop) grid.scrollTop = top; else if (top + ROW > grid.scrollTop + room) grid.scrollTop = top + ROW - room;
    paint();
    grid.setAttribute("aria-activedescendant", `event-${at}`);
    const i = shown[at], query = `select * from logs where record_id = '${e.r[i].replaceAll("'", "''")}'`;
    const block = (text) => { const button = element("button", { type: "button", class: "copy" }, say("copy")); return element("div", { class: "code" }, button, element("pre", { tabindex: "0" }, text)); };
    $("event").replaceChildren(
      element("p", { class: "meta" }, clock(times[i] / 1000, "ms"), " · ", e.services[e.s[i]], " · ", e.problems[e.p[i]] || e.severities[e.v[i]][0]),
      block(e.b[i] ?? e.m[i]), block(`triage sql "${query}"`));
  }
  function filter() {
    const words = $("search").value.toLowerCase().split(/\s+/).filter(Boolean);
    const service = $("f-service").value, severity = +$("f-severity").value, problem = $("f-problem").value;
    const low = state.from === null ? -Infinity : state.from * 1000, high = state.from === null ? Infinity : state.to * 1000;
    if (words.length && !haystack) haystack = e.m.map((m, i) => `${m} ${e.services[e.s[i]]} ${e.problems[e.p[i]] || ""} ${e.r[i]} ${e.b[i] ?? ""}`.toLowerCase());
    const kept = [];
    for (const i of order) {
      if (times[i] < low || times[i] >= high) continue;
      if (service !== "" && e.s[i] !== +service) continue;
      if (severity && e.severities[e.v[i]][1] < severity) continue;
      if (problem === "any" ? !e.p[i] : problem !== "" && e.p[i] !== +problem) continue;
      if (words.length && !words.every((w) => haystack[i].includes(w))) continue;
      kept.push(i);
    }
    shown = Uint32Array.from(kept);
    active = -1;
    grid.removeAttribute("aria-activedescendant");
    grid.scrollTop = 0;
    $("matches").textContent = say("shown", { n: grouped.format(shown.length), total: grouped.format(size) });
    paint();
  }
  let later = 0;
  $("search").addEventListener("input", () => { clearTimeout(later); later = setTimeout(filter, 60); });
  grid.addEventListener("scroll", () => requestAnimationFrame(paint));
  grid.addEventListener("keydown", (event) => {
    const jump = { ArrowDown: 1, ArrowUp: -1, PageDown: 18, PageUp: -18, Home: -size, End: size }[event.key];
    if (!jump) return;
    event.preventDefault();
    choose(Math.max(0, Math.min(shown.length - 1, active + jump)));
  });
  // On paper nothing scrolls: print what the filter left, up to what a reader would turn pages for.
  addEventListener("beforeprint", () => {
    const most = Math.min(shown.length, 500);
    pad.replaceChildren(...Array.from({ length: most }, (_, at) => row(at)));
    pad.style.height = `${most * ROW}px`;
    $("printed").textContent = say("printed", { n: grouped.format(most), total: grouped.format(shown.length) });
  });
  addEventListener("afterprint", paint);
  listeners.push(filter);
  filter();
}

reveal();
apply();
root.dataset.ready = "text";
Promise.allSettled([loadCharts(), loadEvents()]).then((results) => {
  for (const result of results) if (result.status === "rejected") console.error(result.reason);
  if (results[1].status === "rejected" && $("matches")) $("matches").textContent = say("failed");
  root.dataset.ready = "all";
  if (location.hash) reveal();
});
