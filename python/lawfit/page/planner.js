// Plans under MODEL and DATA for the settings of the sliders: the best, its draws, its flat region.
const CELLS = 20000; // of the grids of all combinations of listed values together

const natural = (c, x) => (c.log ? Math.exp(x) : x * c.scale);
const coordinate = (c, value) => (c.log ? Math.log(value) : value / c.scale);
const clipped = (c, x) => Math.min(Math.max(natural(c, x), c.low), c.high);

// Every number that a formula may ask for, by its place.
function valuesFor(settings, parameters) {
  const v = Float64Array.from(DATA.values);
  if (parameters) parameters.forEach((p, i) => (v[i] = p));
  for (const slider of DATA.sliders) v[slider.place] = settings.sliders[slider.name];
  return v;
}

// All rows of the lists, or those that the settings pin: each an array of [place, value].
function combinations(settings) {
  let found = [[]];
  DATA.choices.forEach((choice, c) => {
    const pinned = settings.choices[c];
    const rows = pinned === null ? choice.rows : [choice.rows[pinned]];
    found = found.flatMap((head) =>
      rows.map((row) => [...head, ...row.map((value, k) => [choice.places[k], value])]));
  });
  return found;
}

const put = (v, combination) => combination.forEach(([place, value]) => (v[place] = value));

// log(left / right) where both are always positive, else left - right by the size of a side.
function limitValue(limit, v) {
  const [left, right] = [limit.left(v), limit.right(v)];
  if (limit.log) return left > 0 && right > 0 ? Math.log(left / right) : left <= right ? -1e3 : NaN;
  return (left - right) / limit.size;
}

function problemOf(v) {
  const c = DATA.continuous;
  const sign = DATA.maximise ? -1 : 1;
  return {
    n: c.length,
    m: MODEL.limits.length,
    low: c.map((one) => coordinate(one, one.low)),
    high: c.map((one) => coordinate(one, one.high)),
    at(x, out) {
      c.forEach((one, i) => (v[one.place] = natural(one, x[i])));
      out[0] = sign * MODEL.loss(v);
      MODEL.limits.forEach((limit, k) => (out[k + 1] = limitValue(limit, v)));
    },
  };
}

// The plan as the user reads it: every variable, loss and cost.
function described(v, found) {
  DATA.continuous.forEach((c, i) => (v[c.place] = clipped(c, found.x[i])));
  MODEL.defined.forEach((f, k) => (v[DATA.defined[k]] = f(v)));
  const best = {};
  DATA.shown.forEach((s) => (best[s.name] = v[s.place]));
  best.loss = MODEL.loss(v);
  best.cost = MODEL.cost(v);
  return best;
}

function bestPlan(settings) {
  const v = valuesFor(settings);
  const all = combinations(settings);
  const optima = [];
  let conflict = null;
  for (const combination of all) {
    put(v, combination);
    const { best, violated } = minimise(problemOf(v), CELLS / all.length);
    if (best !== null) optima.push({ ...best, combination });
    else if (violated >= 0) conflict = MODEL.limits[violated].text;
  }
  if (!optima.length) return { optima, conflict, best: null };
  optima.sort((a, b) => a.objective - b.objective);
  const [first] = optima;
  put(v, first.combination);
  const best = described(v, first);
  const binding = [...new Set(first.active.map((k) => MODEL.limits[k].text))];
  return { optima, conflict, best, binding, budget: settings.sliders.budget, converged: first.converged };
}

// The plan of one draw of the parameters, each combination from its own central optimum.
function planDraw(settings, parameters, optima) {
  const v = valuesFor(settings, parameters);
  let best = null;
  for (const central of optima) {
    put(v, central.combination);
    const problem = problemOf(v);
    const found = polish(problem, central.x, central.active, central.fixed) ?? refine(problem, central.x);
    if (found !== null && (best === null || found.objective < best.objective)) {
      best = { ...found, combination: central.combination };
    }
  }
  if (best === null) return null;
  put(v, best.combination);
  return described(v, best);
}

function percentile(sorted, share) {
  const at = share * (sorted.length - 1);
  const below = Math.floor(at);
  const above = Math.min(below + 1, sorted.length - 1);
  return sorted[below] + (at - below) * (sorted[above] - sorted[below]);
}

function intervalsOf(plans) {
  const found = {};
  const tail = (1 - DATA.confidence) / 2;
  for (const name of [...DATA.shown.map((s) => s.name), "loss", "cost"]) {
    const sorted = plans.map((p) => p[name]).filter((x) => !Number.isNaN(x)).sort((a, b) => a - b);
    if (sorted.length) found[name] = [percentile(sorted, tail), percentile(sorted, 1 - tail)];
  }
  return found;
}

// How far each variable may go while the loss stays within the tolerance, the others following.
function flatRegion(settings, made) {
  const [first] = made.optima;
  const best = first.objective;
  const room = DATA.tolerance * Math.abs(best);
  const near = made.optima.filter((o) => o.objective <= best + room);
  const ranges = {};
  DATA.continuous.forEach((c, i) => {
    ranges[c.name] = [-1, 1].map((direction) => {
      let end = null;
      for (const optimum of near) {
        const v = valuesFor(settings);
        put(v, optimum.combination);
        const inner = problemOf(v);
        const out = new Float64Array(inner.m + 1);
        const problem = {
          ...inner,
          m: inner.m + 1,
          at(x, all) {
            inner.at(x, out);
            all[0] = -direction * x[i];
            for (let k = 1; k <= inner.m; k++) all[k] = out[k];
            all[inner.m + 1] = (out[0] - best - room) / room;
          },
        };
        // The optimum itself is among the plans that are compared.
        const reached = [refine(problem, optimum.x)?.x[i] ?? optimum.x[i], optimum.x[i]];
        for (const x of reached) if (end === null || direction * (x - end) > 0) end = x;
      }
      return clipped(c, end);
    });
  });
  const values = {};
  DATA.choices.forEach((choice) => choice.names.forEach((name, k) => {
    const place = choice.places[k];
    const kept = near.map((o) => o.combination.find(([p]) => p === place)[1]);
    values[name] = [...new Set(kept)].sort((a, b) => a - b);
  }));
  return { threshold: (DATA.maximise ? -1 : 1) * (best + room), ranges, values };
}

function warningsFor(made) {
  const said = [];
  const { best } = made;
  for (const c of DATA.continuous) {
    const x = (coordinate(c, best[c.name]) - coordinate(c, c.low)) / (coordinate(c, c.high) - coordinate(c, c.low));
    if (x < 1e-7) said.push(`${c.name} is at the lower end of its range, ${amount(c.low)}.`);
    if (x > 1 - 1e-7) said.push(`${c.name} is at the upper end of its range, ${amount(c.high)}.`);
  }
  if (best.cost < made.budget * (1 - 1e-6)) {
    said.push("The best plan leaves part of the budget: spending more would not lower the loss.");
  }
  for (const [name, [low, high]] of Object.entries(DATA.seen)) {
    if (best[name] > 1.5 * high) {
      said.push(`${name} is ${(best[name] / high).toPrecision(3)} times the largest of ${DATA.whose}, ${amount(high)}.`);
    } else if (best[name] < low / 1.5) {
      said.push(`${name} is ${(low / best[name]).toPrecision(3)} times below the smallest of ${DATA.whose}, ${amount(low)}.`);
    }
  }
  if (!made.converged) said.push("The optimum is at a kink of the law or of a limit: found by search, to fewer digits.");
  return said;
}
