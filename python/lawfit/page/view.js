// What the user sees and moves: fields from DATA, results as text and numbers, settings in the address.
const $ = (id) => document.getElementById(id);

function make(name, properties = {}, ...children) {
  const { attributes = {}, ...rest } = properties;
  const made = Object.assign(document.createElement(name), rest);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

const raised = (n) => String(n).replace("-", "⁻").replace(/\d/g, (d) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[d]);

function powerOfTen(value, digits) {
  const [mantissa, exponent] = value.toExponential(digits - 1).split("e");
  const plain = String(Number(mantissa));
  const power = `10${raised(Number(exponent))}`;
  return plain === "1" ? power : `${plain} × ${power}`;
}

// A number to be read: 71.38 billion, 10²⁴, 220,871, 1.964.
function amount(value, digits = 4) {
  if (!Number.isFinite(value)) return String(value);
  const size = Math.abs(value);
  if (size !== 0 && (size >= 1e15 || size < 1e-3)) return powerOfTen(value, digits);
  for (const [unit, name] of [[1e12, "trillion"], [1e9, "billion"], [1e6, "million"]]) {
    if (size >= unit * (1 - 0.5 * 10 ** -digits)) return `${Number((value / unit).toPrecision(digits))} ${name}`;
  }
  const text = String(Number(value.toPrecision(Math.max(digits, size >= 1 ? Math.ceil(Math.log10(size + 1)) : digits))));
  return size < 1e4 ? text : text.replace(/\B(?=(\d{3})+$)/g, ",");
}

// A loss, with zeros at its end, so that two of them have as many digits.
function lossText(value) {
  const size = Math.abs(value);
  return size >= 1e-3 && size < 1e4 ? value.toPrecision(5) : amount(value, 5);
}

// What stands in a field: 1e12 in place of 1000000000000.
function typed(value) {
  const [plain, power] = [String(value), value.toExponential()].map((text) => text.replace("e+", "e"));
  return Math.abs(value) >= 1e6 && power.length < plain.length ? power : plain;
}

// A tick: short enough for a narrow screen.
function short(value) {
  const size = Math.abs(value);
  return size !== 0 && (size >= 1e4 || size < 1e-3) ? powerOfTen(value, 2) : String(Number(value.toPrecision(6)));
}

const withUnit = (value, unit) => (unit ? `${amount(value)} ${unit}` : amount(value));

// --- settings -------------------------------------------------------------------------------------

const firstSettings = () => ({
  sliders: Object.fromEntries(DATA.sliders.map((s) => [s.name, s.value])),
  choices: DATA.choices.map(() => null),
});

const keyOf = (choice) => choice.names.join(",");

// The settings in the part of the address after #, as budget=1e24&P_w=8; what is not there is as made.
function settingsFromAddress() {
  const settings = firstSettings();
  // A plus sign, as in 1e+24, would be read as a blank.
  const given = new URLSearchParams(location.hash.slice(1).replaceAll("+", "%2B"));
  for (const s of DATA.sliders) {
    const value = Number(given.get(s.name) || NaN);
    if (Number.isFinite(value) && (!s.positive || value > 0)) settings.sliders[s.name] = value;
  }
  DATA.choices.forEach((choice, c) => {
    const row = choice.rows.findIndex((r) => r.join(",") === given.get(keyOf(choice)));
    if (row >= 0) settings.choices[c] = row;
  });
  return settings;
}

function addressOf(settings) {
  const parts = DATA.sliders.map((s) => `${s.name}=${settings.sliders[s.name]}`);
  DATA.choices.forEach((choice, c) => {
    if (settings.choices[c] !== null) parts.push(`${keyOf(choice)}=${choice.rows[settings.choices[c]].join(",")}`);
  });
  return `#${parts.join("&").replaceAll("e+", "e")}`;
}

let settings = settingsFromAddress();
const fields = [];

function sliderField(s, k) {
  const to = (value) => (s.log ? Math.log10(value) : value);
  const from = (x) => (s.log ? Number((10 ** x).toPrecision(3)) : Number(x.toPrecision(6)));
  const [low, high] = [to(s.low), to(s.high)];
  const id = `slider-${k}`;
  const range = make("input", { type: "range", id, min: low, max: high, step: (high - low) / 300 });
  const number = make("input", { type: "text", inputMode: "decimal", id: `${id}-number`, autocomplete: "off" });
  number.setAttribute("aria-label", `${s.label}, exact value`);
  const error = make("p", { className: "error", id: `${id}-error`, hidden: true });
  number.setAttribute("aria-describedby", error.id);
  const shown = make("output", { htmlFor: id });
  const show = (typing = false) => {
    const value = settings.sliders[s.name];
    range.value = to(value);
    if (!typing) number.value = typed(value);
    shown.textContent = withUnit(value, s.unit);
    range.setAttribute("aria-valuetext", shown.textContent);
    error.hidden = true;
    number.removeAttribute("aria-invalid");
  };
  range.addEventListener("input", () => {
    settings.sliders[s.name] = from(Number(range.value));
    show();
    changed();
  });
  number.addEventListener("input", () => {
    const value = Number(number.value.trim() || NaN);
    if (Number.isFinite(value) && (!s.positive || value > 0)) {
      settings.sliders[s.name] = value;
      show(true);
      changed();
    } else {
      error.textContent = s.positive ? "A number above zero, such as 1e24." : "A number.";
      error.hidden = false;
      number.setAttribute("aria-invalid", "true");
    }
  });
  number.addEventListener("change", () => show());
  fields.push(show);
  return make("div", { className: "field" },
    make("label", { htmlFor: id }, s.label), shown, range, number, error);
}

function choiceField(choice, c) {
  const id = `choice-${c}`;
  const select = make("select", { id },
    make("option", { value: "" }, "whichever is best"),
    ...choice.rows.map((row, r) => make("option", { value: String(r) }, row.map((x) => amount(x)).join(", "))));
  select.addEventListener("change", () => {
    settings.choices[c] = select.value === "" ? null : Number(select.value);
    changed();
  });
  fields.push(() => (select.value = settings.choices[c] === null ? "" : String(settings.choices[c])));
  return make("div", { className: "field" }, make("label", { htmlFor: id }, choice.label), make("span"), select);
}

// --- results --------------------------------------------------------------------------------------

const unitOf = (name) => DATA.units[name] ?? "";

function headline(made) {
  if (made.best === null) {
    return made.conflict === null
      ? "No plan is possible with these settings."
      : `No plan is possible: ${made.conflict} cannot hold.`;
  }
  const parts = DATA.shown.filter((s) => s.planned).map((s) => `${s.name} = ${withUnit(made.best[s.name], s.unit)}`);
  return `Best plan: ${[...parts, `loss ${lossText(made.best.loss)}`].join(", ")}.`;
}

function table(made, flat, intervals) {
  const body = $("rows");
  body.replaceChildren();
  if (made.best === null) return;
  const pair = (ends, unit, shown = amount) => {
    if (!ends) return "–";
    const [low, high] = ends.map((x) => shown(x));
    return (low === high ? low : `${low} to ${high}`) + (unit ? ` ${unit}` : "");
  };
  for (const name of [...DATA.shown.map((s) => s.name), "loss", "cost"]) {
    const unit = unitOf(name);
    const values = flat.values[name];
    const region = name === "loss" ? `up to ${lossText(flat.threshold)}`
      : values ? values.map((x) => amount(x)).join(", ") : pair(flat.ranges[name], unit);
    const cell = (label, text) => make("td", { attributes: { "data-label": label } }, text);
    const best = name === "loss" ? lossText(made.best.loss) : withUnit(made.best[name], unit);
    body.append(make("tr", {}, make("th", { scope: "row" }, name), cell("Best", best),
      cell(DATA.draws.length ? $("interval-head").textContent : "Interval",
        !DATA.draws.length ? "no draws" : intervals === null ? "…" : pair(intervals[name], unit, name === "loss" ? lossText : amount)),
      cell($("flat-head").textContent, region)));
  }
}

let generation = 0;
let scheduled = false;

function changed() {
  try {
    history.replaceState(null, "", addressOf(settings));
  } catch {
    // Where the address may not change, the page works all the same.
  }
  if (scheduled) return;
  scheduled = true;
  requestAnimationFrame(() => {
    scheduled = false;
    update();
  });
}

function exact(made, flat, intervals, failed, done) {
  $("values").textContent = JSON.stringify({
    settings: { ...settings.sliders, ...Object.fromEntries(DATA.choices.map((choice, c) =>
      [keyOf(choice), settings.choices[c] === null ? "best" : choice.rows[settings.choices[c]]])) },
    best: made.best, binding: made.binding, converged: made.converged, flat, intervals, failed,
  }, null, 1);
  document.documentElement.dataset.state = done ? "done" : "working";
}

function update() {
  const mine = ++generation;
  const made = bestPlan(settings);
  const flat = made.best === null ? null : flatRegion(settings, made);
  $("headline").textContent = headline(made);
  $("headline").classList.toggle("impossible", made.best === null);
  $("warnings").replaceChildren(...(made.best === null ? [] : warningsFor(made)).map((w) => make("li", {}, w)));
  $("binding").textContent = made.best === null || !made.binding.length ? "" : `Limited by ${made.binding.map((limit) => (limit === "cost <= budget" ? "the budget" : limit)).join(" and ")}.`;
  table(made, flat, null);
  redraw = () => draw($("picture"), settings, made, flat);
  redraw();
  $("picture").setAttribute("aria-label", `${headline(made)} ${$("caption").textContent}`);
  if (made.best === null || !DATA.draws.length) {
    exact(made, flat, null, null, true);
    return;
  }
  exact(made, flat, null, null, false);
  const plans = [];
  const used = { sliders: { ...settings.sliders }, choices: [...settings.choices] };
  let next = 0;
  const work = () => {
    if (mine !== generation) return; // the settings have moved on
    const until = performance.now() + 12;
    while (next < DATA.draws.length && performance.now() < until) {
      const found = planDraw(used, DATA.draws[next++], made.optima);
      if (found !== null) plans.push(found);
    }
    if (next < DATA.draws.length) {
      setTimeout(work, 0);
      return;
    }
    const intervals = intervalsOf(plans);
    const failed = 1 - plans.length / DATA.draws.length;
    table(made, flat, intervals);
    exact(made, flat, intervals, failed, true);
    const [low, high] = intervals.loss ?? [NaN, NaN];
    $("sure").textContent = !plans.length ? "No draw has a plan here."
      : `The loss lies between ${lossText(low)} and ${lossText(high)} in ${100 * DATA.confidence} % of the draws` +
        (failed > 0 ? `; ${(100 * failed).toPrecision(2)} % of the draws have no plan.` : ".");
  };
  $("sure").textContent = "";
  setTimeout(work, 0);
}

let redraw = () => {};

function begin() {
  $("fields").replaceChildren(...DATA.sliders.map(sliderField), ...DATA.choices.map(choiceField));
  $("reset").addEventListener("click", () => {
    settings = firstSettings();
    fields.forEach((show) => show());
    changed();
  });
  window.addEventListener("hashchange", () => {
    settings = settingsFromAddress();
    fields.forEach((show) => show());
    changed();
  });
  let width = 0;
  new ResizeObserver(() => {
    const now = $("picture").parentElement.clientWidth;
    if (now !== width) redraw();
    width = now;
  }).observe($("picture").parentElement);
  $("controls").addEventListener("submit", (event) => event.preventDefault());
  fields.forEach((show) => show());
  update();
}

begin();
