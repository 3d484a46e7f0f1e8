/* The page's behaviour: time selection, charts, sorting, copying. Log text only ever enters the page as text nodes. */
"use strict";
const root = document.documentElement;
root.classList.remove("noscript");
const $ = (id) => document.getElementById(id);
const all = (selector, within = document) => [...within.querySelectorAll(selector)];
const page = JSON.parse($("page-data").textContent);
const say = (key, values = {}) => page.text[key].replace(/\{(\w+)\}/g, (_, name) => values[name]);
const grouped = new Intl.NumberFormat("en-US");
const axis = { start: page.axis.start, step: page.axis.step_s * 1000, end: page.axis.start + page.axis.steps * page.axis.step_s * 1000 };
const narrow = () => innerWidth < 736;
const state = { from: null, to: null, low: axis.start, high: axis.end, local: false };
const listeners = []; // called after each change of the selection

async function unpack(id) {
  const bytes = Uint8Array.from(atob($(id).textContent.trim()), (c) => c.charCodeAt(0));
  return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).text();
}
function element(name, attributes = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.append(...children);
  return node;
}

/* times: UTC as written, or the reader's zone */
const localDays = new Date(axis.start).toDateString() !== new Date(axis.end - 1).toDateString(); // a UTC day is two elsewhere
const two = (n) => String(n).padStart(2, "0");
function clock(ms, form) {
  const d = new Date(state.local ? ms - new Date(ms).getTimezoneOffset() * 60000 : ms);
  const date = `${d.getUTCFullYear()}-${two(d.getUTCMonth() + 1)}-${two(d.getUTCDate())}`;
  const hm = `${two(d.getUTCHours())}:${two(d.getUTCMinutes())}`;
  const s = `${hm}:${two(d.getUTCSeconds())}`;
  if (form === "d" || form === "ds") return `${date} ${form === "d" ? hm : s}`;
  if (form === "hm") return hm;
  const text = form === "ms" ? `${s}.${String(d.getUTCMilliseconds()).padStart(3, "0")}` : s;
  return page.many_days || (state.local && localDays) ? `${date.slice(5)} ${text}` : text;
}
function writeTimes(within = document) {
  for (const node of all("time[datetime]", within)) node.textContent = clock(Date.parse(node.dateTime), node.dataset.f);
}
$("zone").addEventListener("click", () => {
  state.local = !state.local;
  $("zone").textContent = state.local ? say("utc") : say("local");
  $("zone").setAttribute("aria-pressed", state.local);
  for (const node of all("[data-zone]")) node.textContent = state.local ? say("local") : say("utc");
  writeTimes(); drawCharts(); changed();
});

/* light and dark */
const isDark = () => root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
$("theme").addEventListener("click", () => { root.dataset.theme = isDark() ? "light" : "dark"; drawCharts(); });
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => drawCharts());

/* selection: snapped to the steps that everything was counted in, so that counts stay exact */
const snapDown = (ms) => axis.start + Math.floor((ms - axis.start) / axis.step) * axis.step;
const snapUp = (ms) => axis.start + Math.ceil((ms - axis.start) / axis.step) * axis.step;
function select(from, to) {
  if (from === null) { state.from = state.to = null; } else {
    state.from = Math.max(axis.start, snapDown(Math.min(from, to)));
    state.to = Math.min(axis.end, Math.max(snapUp(Math.max(from, to)), state.from + axis.step));
  }
  changed();
}
function within(ms) { return state.from === null || (ms >= state.from && ms < state.to); }
function countIn(pairs) {
  const low = (state.from - axis.start) / axis.step, high = (state.to - axis.start) / axis.step;
  let sum = 0;
  for (const [at, n] of pairs) if (at >= low && at < high) sum += n;
  return sum;
}
const counted = all(".c[data-b]").map((node) => ({
  node, total: +node.dataset.n, row: node.closest("tr"),
  pairs: node.dataset.b ? node.dataset.b.split(" ").map((p) => p.split(":").map(Number)) : [],
}));
let pending = 0;
function changed() { cancelAnimationFrame(pending); pending = requestAnimationFrame(apply); }
function apply() {
  const on = state.from !== null;
  for (const c of counted) {
    const n = on ? countIn(c.pairs) : c.total;
    c.node.textContent = grouped.format(n);
    if (on) c.node.append(" ", element("span", { class: "of" }, `/ ${grouped.format(c.total)}`));
    c.node.dataset.now = n;
    if (c.row) c.row.classList.toggle("out", on && n === 0);
  }
  for (const node of all(".in-time")) {
    const at = Date.parse(node.dataset.at), to = Date.parse(node.dataset.to ?? node.dataset.at);
    node.classList.toggle("out", on && (to < state.from || at >= state.to));
  }
  for (const node of all(".incident")) {
    const from = Date.parse(node.dataset.from), to = Date.parse(node.dataset.to);
    node.classList.toggle("out", on && (to < state.from || from >= state.to));
  }
  // What cannot be counted by time says so; a section of which nothing is left goes.
  for (const node of all(".of-window")) node.hidden = !on;
  for (const section of all("main > section")) {
    const rows = all(".in-time, tr:has(.c[data-b])", section);
    section.classList.toggle("out", rows.length > 0 && rows.every((row) => row.classList.contains("out")));
  }
  const zoomed = state.low !== axis.start || state.high !== axis.end;
  $("clear") && ($("clear").hidden = !on, $("zoom").hidden = !on, $("reset").hidden = !zoomed, $("hint").hidden = on);
  if ($("selection")) $("selection").textContent = on ? `${say("selection")} ${clock(state.from)} – ${clock(state.to)}` : "";
  for (const chart of charts.values()) showSelection(chart);
  for (const listener of listeners) listener();
}
function zoom(low, high) {
  state.low = low; state.high = high;
  for (const { view } of charts.values()) view.signal("low", low).signal("high", high).runAsync();
  changed();
}
$("clear") && $("clear").addEventListener("click", () => select(null));
$("zoom") && $("zoom").addEventListener("click", () => zoom(state.from, state.to));
$("reset") && $("reset").addEventListener("click", () => zoom(axis.start, axis.end));
for (const node of all(".pick")) node.addEventListener("click", () => select(Date.parse(node.dataset.from), Date.parse(node.dataset.to) + 1));

/* charts */
const charts = new Map();
const css = (name) => getComputedStyle(root).getPropertyValue(name).trim();
function config() {
  const [ink, soft, line, font] = [css("--ink"), css("--soft"), css("--line"), css("--sans")];
  return {
    background: null, font, aria: false, view: { stroke: null, cursor: "crosshair" },
    axis: { labelColor: soft, tickColor: line, domainColor: line, gridColor: css("--faint"), labelFontSize: 11.5, labelFont: font, titleColor: soft, domain: false },
    style: { lane: { fill: ink } }, text: { color: soft, font }, legend: { labelColor: soft },
  };
}
// Zone and colours are the reader's choice, so they enter the specification here and not where it was made.
function prepare(node) {
  if (Array.isArray(node)) return node.map(prepare);
  if (node === null || typeof node !== "object") return typeof node === "string" && node.startsWith("var(--") ? css(node.slice(4, -1)) : node;
  const copy = {}, labels = narrow() ? 132 : page.labels;
  for (const [key, value] of Object.entries(node)) {
    if (key === "type" && value === "utc" && state.local) copy[key] = "time";
    else if (key === "labelExpr" && state.local) copy[key] = value.replaceAll("utcFormat", "timeFormat").replaceAll(/utc(seconds|minutes|hours)/g, "$1");
    else if (key === "minExtent" || key === "maxExtent") copy[key] = labels;
    else if (value === -page.labels) copy[key] = -labels;
    else if (key === "limit" && narrow()) { copy[key] = labels - 4; if (value !== page.title_width) copy.opacity = 0; } // no room for the service
    else copy[key] = prepare(value);
  }
  return copy;
}
function showSelection(chart) {
  chart.view.signal("from", state.from ?? 0).signal("to", state.from === null ? 0 : state.to).runAsync();
}
function tooltip(_handler, event, item, value) {
  const tip = $("tip");
  if (value === null || value === undefined || value === "" || !value.rows) { tip.style.display = "none"; return; }
  tip.replaceChildren();
  value.rows.forEach((row, i) => tip.append(element(i ? "div" : "b", {}, row)));
  if (value.example) tip.append(element("span", { class: "m" }, value.example));
  tip.style.display = "block";
  const box = tip.getBoundingClientRect();
  tip.style.left = `${Math.max(8, Math.min(event.clientX + 14, innerWidth - box.width - 8))}px`;
  tip.style.top = `${event.clientY + box.height + 24 > innerHeight ? event.clientY - box.height - 10 : event.clientY + 16}px`;
}
function describe(datum, chart) {
  if (!datum) return null;
  if (datum.n !== undefined) {
    const lane = page.lanes[datum.lane];
    return { rows: [`${lane.title} · ${lane.service}`, `${clock(datum.t)} – ${clock(datum.t2)} · ${say(datum.n === 1 ? "records_one" : "records", { n: grouped.format(datum.n) })}`], example: lane.example };
  }
  if (datum.mark !== undefined) return { rows: [`${page.marks[datum.mark].service} · ${clock(datum.t, "ms")}`, page.marks[datum.mark].detail] };
  if (datum.v !== undefined) {
    const series = page.series[chart], value = ["ms", "MB"].includes(series.unit) ? `${grouped.format(Math.round(datum.v))} ${series.unit}` : grouped.format(datum.v);
    return { rows: [`${series.names[datum.s]} ${value}`, `${clock(datum.t)} – ${clock(datum.t2)}`] };
  }
  return null;
}
let drawing = null, redraw = false;
async function drawCharts() {
  if (!window.vegaEmbed) return;
  if (drawing) { redraw = true; return drawing; }
  drawing = draw();
  await drawing;
  drawing = null;
  if (redraw) { redraw = false; await drawCharts(); }
}
async function draw() {
  for (const host of all("[data-chart]")) {
    const old = charts.get(host);
    if (old) old.result.finalize();
    const result = await vegaEmbed(host, prepare(page.charts[host.dataset.chart]), {
      ast: true, actions: false, defaultStyle: false, renderer: "svg", mode: "vega-lite", config: config(),
      timeFormatLocale: page.time_locale,
      tooltip: (handler, event, item, value) => tooltip(handler, event, item, value ? describe(item && item.datum, host.dataset.chart) : null),
    });
    const chart = { view: result.view, result };
    charts.set(host, chart);
    host.classList.add("drawn");
    for (const svg of all("svg", host)) svg.setAttribute("aria-hidden", "true");
    result.view.signal("low", state.low).signal("high", state.high);
    listenToBrush(host, chart);
    showSelection(chart);
    result.view.addEventListener("click", (_event, item) => {
      const datum = item && item.datum;
      if (datum && datum.n !== undefined && datum.lane !== undefined) goTo(datum);
    });
  }
}
// The library's brush lives only while the pointer is down; the selection is ours, the same on every chart.
function listenToBrush(host, chart) {
  let start = null, moved = false;
  const at = (event) => {
    const svg = host.querySelector("svg").getBoundingClientRect();
    const x = event.clientX - svg.left - chart.view.origin()[0];
    const width = chart.view.width();
    return { ms: state.low + (Math.max(0, Math.min(width, x)) / width) * (state.high - state.low), inside: x >= 0 && x <= width };
  };
  const svg = host.querySelector("svg");
  svg.addEventListener("pointerdown", (event) => {
    const p = at(event);
    if (!p.inside || event.button) return;
    start = p.ms; moved = false;
  });
  svg.addEventListener("pointermove", (event) => {
    if (start === null) return;
    const p = at(event);
    if (!moved && Math.abs(p.ms - start) < (state.high - state.low) / 200) return;
    // Captured only now: a captured pointer's click would no longer tell which cell it was on.
    if (!moved) svg.setPointerCapture(event.pointerId);
    moved = true;
    $("tip").style.display = "none";
    select(start, p.ms);
  });
  for (const end of ["pointerup", "pointercancel"]) svg.addEventListener(end, () => { start = null; });
  svg.addEventListener("dblclick", () => select(null));
  svg.addEventListener("wheel", (event) => { // only with a modifier: the page must scroll
    if (!event.ctrlKey && !event.metaKey) return;
    event.preventDefault();
    const centre = at(event).ms, factor = event.deltaY < 0 ? 0.75 : 1 / 0.75;
    const low = Math.max(axis.start, centre - (centre - state.low) * factor);
    const high = Math.min(axis.end, centre + (state.high - centre) * factor);
    if (high - low >= axis.step * 4 || factor > 1) zoom(low, high);
  }, { passive: false });
}
function goTo(cell) {
  const slug = page.lanes[cell.lane].problem.replaceAll(".", "-");
  const card = all(".incident").filter((i) => cell.t < Date.parse(i.dataset.to) + axis.step && cell.t2 > Date.parse(i.dataset.from) - axis.step)
    .map((i) => $(`${i.id}-${slug}`)).find(Boolean);
  const target = card || $(`problem-${slug}`);
  if (target) { location.hash = target.id; target.scrollIntoView(); }
}
if ($("chart-timeline")) $("chart-timeline").addEventListener("keydown", (event) => {
  const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (step) {
    if (state.from === null) select(step > 0 ? axis.start : axis.end - axis.step, step > 0 ? axis.start + 1 : axis.end);
    else if (event.shiftKey) { state.to = Math.max(state.from + axis.step, Math.min(axis.end, state.to + step * axis.step)); changed(); }
    else if (state.from + step * axis.step >= axis.start && state.to + step * axis.step <= axis.end) { state.from += step * axis.step; state.to += step * axis.step; changed(); }
  } else if (event.key === "Enter" && state.from !== null) zoom(state.from, state.to);
  else if (event.key === "Escape") { state.low !== axis.start || state.high !== axis.end ? zoom(axis.start, axis.end) : select(null); }
  else return;
  event.preventDefault();
});
async function loadCharts() {
  if (!all("[data-chart]").length) return;
  const script = document.createElement("script");
  script.textContent = await unpack("vega-code");
  document.head.append(script);
  await drawCharts();
  let width = innerWidth;
  addEventListener("resize", () => { if (innerWidth !== width) { width = innerWidth; clearTimeout(loadCharts.later); loadCharts.later = setTimeout(drawCharts, 120); } });
}

/* copying */
async function copy(text, button) {
  try { await navigator.clipboard.writeText(text); } catch {
    // A file opened from disk has no clipboard permission in some browsers.
    const area = element("textarea", { class: "vh" });
    area.value = text; document.body.append(area); area.select(); document.execCommand("copy"); area.remove();
  }
  button.textContent = say("copied");
  setTimeout(() => { button.textContent = say("copy"); }, 1500);
}
document.addEventListener("click", (event) => {
  const button = event.target.closest && event.target.closest("button.copy");
  if (button) copy(button.parentElement.querySelector("pre").textContent, button);
});

/* sorting */
for (const table of all("table.sortable")) all("thead th", table).forEach((th, column) => {
  if (table.tBodies[0].rows.length < 2 || th.classList.contains("hide-s")) return;
  const button = element("button", { type: "button" }, ...th.childNodes);
  th.append(button);
  button.addEventListener("click", () => {
    const down = th.getAttribute("aria-sort") ? th.getAttribute("aria-sort") === "ascending" : th.classList.contains("r");
    for (const other of all("th", table)) other.removeAttribute("aria-sort");
    th.setAttribute("aria-sort", down ? "descending" : "ascending");
    const value = (row) => {
      const cell = row.cells[column], c = cell.querySelector(".c");
      if (c) return +c.dataset.now || +c.dataset.n;
      if (cell.dataset.v !== undefined) return +cell.dataset.v;
      const text = (cell.querySelector("time")?.dateTime ?? cell.textContent).trim();
      const number = th.classList.contains("r") ? Number(text.replaceAll(",", "")) : NaN;
      return Number.isNaN(number) ? text : number;
    };
    const rows = [...table.tBodies[0].rows].map((row) => [value(row), row]);
    rows.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0) * (down ? -1 : 1));
    table.tBodies[0].append(...rows.map(([, row]) => row));
  });
});

/* what scrolls can be reached by keyboard */
function reach() {
  for (const box of all(".scroll, .lines li.hit")) box.scrollWidth > box.clientWidth || box.scrollHeight > box.clientHeight ? box.setAttribute("tabindex", "0") : box.removeAttribute("tabindex");
}
addEventListener("resize", reach);
document.addEventListener("toggle", reach, true);
reach();

/* an anchor inside a closed fold opens it */
function reveal() {
  const target = location.hash.length > 1 && $(decodeURIComponent(location.hash.slice(1)));
  if (!target) return;
  for (let node = target; node; node = node.parentElement) if (node.tagName === "DETAILS") node.open = true;
  for (const fold of target.querySelectorAll(":scope > .fold")) fold.open = true;
  target.scrollIntoView();
}
addEventListener("hashchange", reveal);

/* paper shows what the screen folds away */
let folded = [];
addEventListener("beforeprint", () => { folded = all("details:not([open])"); folded.forEach((d) => { d.open = true; }); });
addEventListener("afterprint", () => { folded.forEach((d) => { d.open = false; }); });
