"use strict";
const facts = JSON.parse(document.getElementById("facts").textContent);
const { run, results } = facts;
const SVG = "http://www.w3.org/2000/svg";

// An element with attributes and children; texts become text, never markup.
function make(tag, attributes = {}, ...children) {
  const inSvg = /^(svg|g|path|rect|line|circle|text|title|polyline)$/.test(tag);
  const element = inSvg ? document.createElementNS(SVG, tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children.filter(child => child !== null && child !== undefined));
  return element;
}
const page = document.getElementById("page");
const section = (title, ...children) => {
  const made = make("section", {}, make("h2", {}, title), ...children);
  page.append(made);
  return made;
};
const isNumber = value => typeof value === "number" && Number.isFinite(value);
// As the terminal writes numbers: a half that is exact goes to the even digit, where toFixed goes up.
const fixed = (value, digits) => {
  const half = value * 2 ** (digits + 1), whole = Math.floor(value * 10 ** digits);
  const exact = Number.isInteger(half) && half % 2 !== 0;
  return (exact ? (whole + Math.abs(whole % 2)) / 10 ** digits : value).toFixed(digits);
};
const percent = (value, digits = 2) => (isNumber(value) ? fixed(value * 100, digits) + " %" : "–");
const short = (value, digits = 4) => {
  if (!isNumber(value)) return "–";
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-3 || size >= 1e6)) return value.toExponential(2);
  return String(Number(value.toPrecision(digits)));
};
const many = value => (isNumber(value) ? value.toLocaleString("en") : "–");
const shown = (value, measure) => (measure.percent ? percent(value) : short(value));
const time = seconds => {
  const s = Math.round(seconds);
  if (seconds < 100) return seconds.toFixed(1) + " s";
  return s < 3600 ? `${Math.floor(s / 60)} min ${s % 60} s` : `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
};
const round = value => Math.round(value * 10) / 10;

function head() {
  document.title = `${run.name}: ${run.model} on ${run.data.split(/[\\/]/).pop()}`;
  page.append(make("header", {}, make("h1", {}, `${run.name}: ${run.model}`),
    make("p", {}, `${run.task} of ${run.data}, ${run.made}, Chiaro ${run.chiaro}`)));
  const tile = (value, words) =>
    make("div", { class: "tile" }, make("b", { class: value.length > 16 ? "long" : "" }, value), make("span", {}, words));
  const tiles = [
    [shown(run.best, run.measure), `best ${results.split} ${run.measure.name}, epoch ${results.epoch}`],
    [many(run.train_images), "training images"],
    [many(results.images), `${results.split} images`],
    [many(facts.classes.length), "classes"],
    [run.image.slice(0, 2).join("×"), `pixels, ${run.image[2]} channel${run.image[2] === 1 ? "" : "s"}`],
    [many(run.parameters), "parameters"],
    [time(run.seconds), `${facts.epochs.length} epoch${facts.epochs.length === 1 ? "" : "s"}, batches of ${run.batch}`],
    [isNumber(run.speed) ? many(Math.round(run.speed)) : "–", "training images a second"],
    [run.device || "–", "device"],
  ];
  page.append(make("div", { class: "tiles" }, ...tiles.map(([value, words]) => tile(value, words))));
}

// Round numbers within a range, some five of them.
function ticks(low, high) {
  const rough = (high - low) / 5;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map(n => n * power).find(n => n >= rough) || rough;
  const all = [];
  for (let tick = Math.ceil(low / step) * step; tick <= high + step * 1e-9; tick += step) all.push(Number(tick.toPrecision(12)));
  return all;
}

// Their labels, with as many digits as tell neighbours apart.
function labels(all, onAxis) {
  for (let digits = 4; ; digits++) {
    const words = all.map(tick => onAxis(tick, digits));
    if (digits === 12 || new Set(words).size === words.length) return words;
  }
}

const COLOURS = ["var(--c0)", "var(--c1)", "var(--c2)", "var(--c3)"];
const [WIDTH, HEIGHT, LEFT, TOP, RIGHT, BOTTOM] = [460, 270, 56, 12, 12, 34];

// Curves over the epochs that tell their values under the mouse or the finger.
function plot(title, curves, show, onAxis = short) {
  const epochs = facts.epochs.map(epoch => epoch.epoch);
  const values = curves.flatMap(curve => curve.values).filter(isNumber);
  if (!values.length) return null;
  const range = (low, high) => (high > low ? [low, high] : [low - 0.5, high + 0.5]);
  const [x0, x1] = range(epochs[0], epochs[epochs.length - 1]);
  const [y0, y1] = range(Math.min(...values), Math.max(...values));
  const x = value => LEFT + ((value - x0) / (x1 - x0)) * (WIDTH - LEFT - RIGHT);
  const y = value => HEIGHT - BOTTOM - ((value - y0) / (y1 - y0)) * (HEIGHT - TOP - BOTTOM);
  const svg = make("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": title });
  const sides = ticks(y0, y1);
  const words = labels(sides, onAxis);
  for (const [i, tick] of sides.entries()) {
    svg.append(make("line", { class: "grid", x1: LEFT, x2: WIDTH - RIGHT, y1: y(tick), y2: y(tick) }),
      make("text", { class: "soft", x: LEFT - 6, y: y(tick) + 4, "text-anchor": "end" }, words[i]));
  }
  for (const tick of ticks(x0, x1).filter(Number.isInteger)) {
    svg.append(make("text", { class: "soft", x: x(tick), y: HEIGHT - BOTTOM + 16, "text-anchor": "middle" }, String(tick)));
  }
  svg.append(make("text", { class: "soft", x: (WIDTH + LEFT) / 2, y: HEIGHT - 4, "text-anchor": "middle" }, "epoch"));
  if (epochs.length > 1) {
    svg.append(make("line", { x1: x(results.epoch), x2: x(results.epoch), y1: TOP, y2: HEIGHT - BOTTOM, stroke: "var(--soft)",
      "stroke-dasharray": "4 3" }, make("title", {}, "best epoch")));
  }
  curves.forEach((curve, i) => {
    const points = curve.values.map((value, at) => [epochs[at], value]).filter(([, value]) => isNumber(value));
    const path = points.map(([at, value]) => `${round(x(at))},${round(y(value))}`).join(" ");
    svg.append(make("polyline", { points: path, fill: "none", stroke: COLOURS[i % 4], "stroke-width": 2 }));
    if (points.length <= 25) {
      for (const [at, value] of points) svg.append(make("circle", { cx: x(at), cy: y(value), r: 2.5, fill: COLOURS[i % 4] }));
    }
  });
  const line = make("line", { y1: TOP, y2: HEIGHT - BOTTOM, stroke: "var(--soft)", visibility: "hidden" });
  svg.append(line);
  const tip = make("div", { class: "tip" });
  const box = make("div", { class: "plot" }, svg, tip);
  const follow = event => {
    const bounds = svg.getBoundingClientRect();
    const place = ((event.clientX - bounds.left) / bounds.width) * WIDTH;
    const nearest = epochs.reduce((best, at, i) => (Math.abs(x(at) - place) < Math.abs(x(epochs[best]) - place) ? i : best), 0);
    line.setAttribute("x1", x(epochs[nearest]));
    line.setAttribute("x2", x(epochs[nearest]));
    line.setAttribute("visibility", "visible");
    tip.replaceChildren(make("div", {}, `epoch ${epochs[nearest]}`), ...curves.map((curve, i) =>
      make("div", {}, make("span", { class: "key", style: `background:${COLOURS[i % 4]}` }), `${curve.name} ${show(curve.values[nearest])}`)));
    tip.style.display = "block";
    const left = (x(epochs[nearest]) / WIDTH) * bounds.width;
    tip.style.left = Math.min(left + 10, Math.max(0, bounds.width - tip.offsetWidth)) + "px";
    tip.style.top = "8px";
  };
  const leave = () => { tip.style.display = "none"; line.setAttribute("visibility", "hidden"); };
  svg.addEventListener("pointermove", follow);
  svg.addEventListener("pointerdown", follow);
  svg.addEventListener("pointerleave", leave);
  const legend = curves.map((curve, i) =>
    make("span", {}, make("span", { class: "key", style: `background:${COLOURS[i % 4]}` }), curve.name));
  return make("div", {}, make("b", {}, title), make("div", { class: "legend" }, ...legend), box);
}

function curves() {
  const of = pick => facts.epochs.map(pick);
  const plots = [plot("loss", [
    { name: "train", values: of(epoch => epoch.train.loss) }, { name: results.split, values: of(epoch => epoch.eval.loss) },
  ], short)];
  const names = [...new Set([...facts.measures.train, ...facts.measures.eval].map(measure => measure.name))];
  for (const name of names) {
    const measure = [...facts.measures.eval, ...facts.measures.train].find(known => known.name === name);
    const all = [];
    if (facts.measures.train.some(known => known.name === name)) all.push({ name: "train", values: of(epoch => epoch.train[name]) });
    if (facts.measures.eval.some(known => known.name === name)) all.push({ name: results.split, values: of(epoch => epoch.eval[name]) });
    plots.push(plot(name, all, value => shown(value, measure), (tick, digits) => (measure.percent ? `${short(100 * tick, digits)} %` : short(tick, digits))));
  }
  plots.push(plot("learning rate", [{ name: "learning rate", values: of(epoch => epoch.lr) }], short));
  plots.push(plot("speed", [{ name: "images/s", values: of(epoch => epoch.speed) }], value => many(Math.round(value))));
  section("Curves", make("div", { class: "plots" }, ...plots.filter(Boolean)));
}

const isSmall = Math.max(run.image[0], run.image[1]) <= 48;
const image = (src, words) => make("img", { src, alt: words, loading: "lazy", class: isSmall ? "small" : "" });
function figure(picture, heat = null, silent = false) {
  const sure = isNumber(picture.p) ? ` ${percent(picture.p, 0)}` : "";
  const words = picture.right === true ? make("span", { class: "right" }, picture.said + sure)
    : make("span", {}, `${picture.label} → `, make("span", { class: picture.right === false ? "wrong" : "" }, picture.said + sure));
  const images = [image(picture.src, `${picture.label}, said: ${picture.said}`)];
  if (heat) images.push(image(heat, `what speaks for ${picture.said}`));
  const empty = silent ? make("small", {}, `no place speaks for ${picture.said}`) : null;
  return make("figure", {}, make("div", { class: "pair" }, ...images), make("figcaption", {}, words, empty, make("small", { title: picture.name }, (picture.name || "").split(/[\\/]/).slice(-2).join("/"))));
}

function confusion() {
  const counts = results.confusion;
  if (!counts) return;
  const names = facts.classes, n = names.length;
  const pictures = new Map(facts.cells.map(([label, said, places]) => [`${label},${said}`, places]));
  const opened = make("div", { class: "pictures" });
  const words = make("p", { class: "hint", "aria-live": "polite" }, "Choose a cell to see pictures of it.");
  const open = (label, said) => {
    const places = pictures.get(`${label},${said}`) || [];
    const of = label === said ? `${names[label]}, right` : `${names[label]} taken for ${names[said]}`;
    words.textContent = `${of}: ${many(counts[label][said])} image${counts[label][said] === 1 ? "" : "s"}, ${places.length} shown`;
    opened.replaceChildren(...places.map(place => figure(facts.pictures[place])));
  };
  const side = Math.max(Math.min(44, 700 / n), 3), name = side >= 12;
  const longest = name ? Math.min(Math.max(...names.map(text => text.length)), 18) : 0;
  const room = name ? longest * 7 + 10 : 6;
  const cut = text => (text.length > 18 ? text.slice(0, 16) + "…" : text);
  let shares = false;
  const draw = () => {
    const size = room + n * side + 4;
    const svg = make("svg", { viewBox: `0 -1 ${size} ${size + 1}`, class: "matrix", style: `max-width:${Math.max(size, 280)}px`, role: "group",
      "aria-label": "confusion matrix: rows are labels, columns predictions" });
    const most = Math.max(1, ...counts.flat());
    counts.forEach((row, label) => {
      const sum = row.reduce((a, b) => a + b, 0) || 1;
      row.forEach((count, said) => {
        const share = count / (shares ? sum : most);
        const at = { x: room + said * side, y: label * side, width: side, height: side };
        if (count || n <= 60) {
          const cell = make("rect", { ...at, fill: `rgba(var(--full), ${round(10 * share ** 0.6) / 10})`, stroke: "var(--line)",
            "stroke-width": n <= 60 ? 1 : 0 },
            make("title", {}, `${names[label]} → ${names[said]}: ${count} (${percent(count / sum, 1)})`));
          if (count) {
            cell.classList.add("cell");
            cell.addEventListener("click", () => open(label, said));
            if (pictures.has(`${label},${said}`)) {
              cell.setAttribute("tabindex", "0");
              cell.setAttribute("role", "button");
              cell.addEventListener("keydown", event => { if (event.key === "Enter" || event.key === " ") { event.preventDefault(); open(label, said); } });
            }
          }
          svg.append(cell);
        }
        const text = shares ? (count / sum).toFixed(2) : String(count);
        if (count && side >= 20 && text.length * 7 < side) {
          svg.append(make("text", { x: at.x + side / 2, y: at.y + side / 2 + 4, "text-anchor": "middle", "pointer-events": "none",
            fill: share > 0.45 ? "var(--card)" : "var(--ink)" }, text));
        }
      });
      if (name) {
        svg.append(make("text", { class: "soft", x: room - 6, y: label * side + side / 2 + 4, "text-anchor": "end" }, cut(names[label])));
        const [x, y] = [room + label * side + side / 2 + 4, n * side + 8];
        svg.append(make("text", { class: "soft", x, y, "text-anchor": "end", transform: `rotate(-90 ${x} ${y})` }, cut(names[label])));
      }
    });
    return svg;
  };
  const holder = make("div", {}, draw());
  const button = (text, value) => make("button", { class: "plain", type: "button", "aria-pressed": String(shares === value),
    onclick: event => {
      shares = value;
      for (const other of event.target.parentElement.querySelectorAll("button")) other.setAttribute("aria-pressed", String(other === event.target));
      holder.replaceChildren(draw());
    } }, text);
  const all = counts.flatMap((row, label) => row.map((count, said) => [count, label, said])).filter(([count, label, said]) => count && label !== said);
  const top = all.sort((a, b) => b[0] - a[0]).slice(0, 8);
  const list = top.map(([count, label, said]) =>
    make("button", { class: "plain", type: "button", onclick: () => open(label, said) }, `${names[label]} → ${names[said]}: ${count}`));
  const note = "Rows are labels, columns predictions.";
  section("Confusion matrix", make("p", { class: "hint" }, note), make("div", {}, button("images", false), button("shares", true)), holder,
    top.length ? make("p", { class: "hint" }, "Most frequent mistakes:") : null, make("div", {}, ...list), words, opened);
  if (top.length) open(top[0][1], top[0][2]);
}

function mistakes() {
  if (!facts.mistakes.length) return;
  const cards = facts.mistakes.map(({ picture, heat, silent }) => figure(facts.pictures[picture], heat, silent));
  const heats = facts.mistakes.some(({ heat }) => heat);
  const words = heats ? "The surest wrong answers, and which places spoke for them (Grad-CAM: red speaks most)." : "The surest wrong answers."
    + (facts.no_heats ? ` Without heat maps: ${facts.no_heats}` : "");
  section("Worst mistakes", make("p", { class: "hint" }, words), make("div", { class: "mistakes" }, ...cards)).classList.add("long");
}

// A table whose columns sort it. A column is its title, and how a row's value is got and shown.
function table(columns, rows) {
  const body = make("tbody");
  const fill = all => body.replaceChildren(...all.map(row => make("tr", {}, ...columns.map(({ get, cell, wrap }) =>
    make("td", { class: wrap ? "wrap" : "" }, cell ? cell(row) : get(row))))));
  let by = null, down = true;
  const sort = column => {
    down = by === column ? !down : typeof column.get(rows[0]) !== "string";
    by = column;
    const order = (a, b) => (typeof a === "string" ? a.localeCompare(b) : (isNumber(a) ? a : -1) - (isNumber(b) ? b : -1));
    fill([...rows].sort((a, b) => order(column.get(a), column.get(b)) * (down ? -1 : 1)));
  };
  fill(rows);
  const heads = columns.map(column =>
    make("th", { scope: "col" }, rows.length > 1 && column.sort !== false ? make("button", { type: "button", title: "sort", onclick: () => sort(column) }, column.title) : column.title));
  return make("div", { class: "scroll" }, make("table", {}, make("thead", {}, make("tr", {}, ...heads)), body));
}

function classes() {
  const metrics = results.metrics;
  const most = Math.max(1, ...facts.counts.train);
  const rows = facts.classes.map((name, i) => ({ name, train: facts.counts.train[i], eval: facts.counts.eval[i], ...(metrics ? metrics.classes[i] : {}) }));
  const bar = (share, text) => make("span", {}, make("span", { class: "bar", style: `width:${Math.round(share * 60)}px` }), text);
  const share = name => ({ get: row => row[name], cell: row => percent(row[name]) });
  const columns = [
    { title: "class", get: row => row.name },
    { title: "training images", get: row => row.train, cell: row => bar(row.train / most, many(row.train)) },
    { title: `${results.split} images`, get: row => row.eval, cell: row => many(row.eval) },
  ];
  if (metrics) {
    columns.push({ title: "precision", ...share("precision"), cell: row => (row.predicted ? percent(row.precision) : "–") },
      { title: "recall", get: row => row.recall, cell: row => (row.samples ? bar(row.recall, percent(row.recall)) : "–") },
      { title: "F1", ...share("f1") }, { title: "AUROC", ...share("auroc") }, { title: "AP", ...share("average_precision") });
  }
  section("Classes", table(columns, rows)).classList.add("long");
}

function reliability() {
  const bins = results.reliability;
  if (!bins) return;
  const [size, left, bottom] = [300, 46, 34];
  const span = size - left - 24;
  const x = value => left + value * span, y = value => size - bottom - value * (size - bottom - 10);
  const svg = make("svg", { viewBox: `0 0 ${size} ${size}`, style: "max-width:380px", role: "img", "aria-label": "reliability diagram" });
  for (const tick of [0, 0.25, 0.5, 0.75, 1]) {
    svg.append(make("line", { class: "grid", x1: left, x2: left + span, y1: y(tick), y2: y(tick) }),
      make("text", { class: "soft", x: left - 5, y: y(tick) + 4, "text-anchor": "end" }, percent(tick, 0)),
      make("text", { class: "soft", x: x(tick), y: size - bottom + 16, "text-anchor": "middle" }, percent(tick, 0)));
  }
  bins.forEach((bin, i) => {
    if (!bin.images) return;
    svg.append(make("rect", { x: x(i / bins.length) + 1, width: span / bins.length - 2, y: y(bin.right), height: Math.max(y(0) - y(bin.right), 1),
      fill: "var(--c0)", opacity: 0.35 + 0.65 * Math.sqrt(bin.images / results.images) },
      make("title", {}, `${bin.images} images, sure by ${percent(bin.sure, 1)}, right ${percent(bin.right, 1)}`)));
  });
  svg.append(make("line", { x1: x(0), y1: y(0), x2: x(1), y2: y(1), stroke: "var(--c1)", "stroke-dasharray": "5 4" }),
    make("text", { class: "soft", x: x(0.5), y: size - 4, "text-anchor": "middle" }, "probability said"));
  const error = results.metrics && isNumber(results.metrics.calibration_error) ? percent(results.metrics.calibration_error) : "–";
  const lines = [`Bars: how many were right of those said with that probability. On the red line probabilities are what they say.`,
    `Calibration error ${error}` + (isNumber(results.temperature) ? ` at temperature ${results.temperature.toFixed(3)}, which is in the weights.` : "."),
    isNumber(results.unknown_below) ? `Below ${percent(results.unknown_below)} an image is rather of no class (chiaro predict --unknown-below auto).` : null];
  section("Reliability", make("div", { class: "two" }, svg, make("div", {}, ...lines.filter(Boolean).map(line => make("p", { class: "hint" }, line)))));
}

function samples() {
  const some = facts.pictures.slice(0, facts.spread);
  if (some.length) section("Some predictions", make("div", { class: "pictures" }, ...some.map(picture => figure(picture)))).classList.add("long");
}

function folded(title, content) {
  const made = make("section", { class: "long" }, make("details", {}, make("summary", {}, title), content));
  page.append(made);
}

function model() {
  const columns = [
    { title: "layer", get: row => row.path || run.model, sort: false }, { title: "kind", get: row => row.kind, sort: false },
    { title: "output", get: row => row.output.join("×"), sort: false }, { title: "parameters", get: row => row.parameters, cell: row => many(row.parameters) },
    { title: "MFLOP", get: row => row.flops, cell: row => (row.flops / 1e6).toFixed(2) },
  ];
  folded(`Model: ${run.model}, ${many(run.parameters)} parameters, ${(run.flops / 1e6).toFixed(1)} MFLOP an image`, table(columns, facts.layers));
}

function settings() {
  const text = value => (typeof value === "string" ? value : JSON.stringify(value));
  const columns = [{ title: "setting", get: row => row.name }, { title: "value", get: row => text(row.value), wrap: true },
    { title: "what it is", get: row => row.help, wrap: true, sort: false }];
  folded("Settings", table(columns, facts.settings));
}

function use() {
  const quoted = /^[\w/\\:.+@%-]+$/.test(run.path) ? run.path : `'${run.path.replaceAll("'", "'\\''")}'`;
  const all = [
    ["Classify pictures:", `chiaro predict ${quoted} FILES`], ["Measure it again, or on other data:", `chiaro eval ${quoted}`],
    ["See what speaks for a class:", `chiaro explain ${quoted} FILES --out heat`], ["For other programs (ONNX):", `chiaro export ${quoted}`],
    ["Train again with the same settings:", `chiaro train --settings ${quoted.replace(/'?$/, "/args.toml$&")}`],
    ["Train longer:", `chiaro train --resume ${quoted} --epochs ${2 * facts.epochs.length}`],
  ];
  section("How to use the weights", ...all.flatMap(([words, command]) => [make("div", {}, words), make("pre", {}, command)]),
    make("p", { class: "hint" }, "weights/best.safetensors holds classes, image size, normalisation, the way images are resized, temperature and score: it is enough alone."));
}

head();
curves();
confusion();
mistakes();
classes();
reliability();
samples();
model();
settings();
use();
