// Least objective in a box subject to limits: a grid, an augmented Lagrangian, then Newton's method.
//
// A problem is {n, m, low, high, at}: at(x, out) writes the objective to out[0] and the limits, each
// to be <= 0, to out[1] ... out[m]. Coordinates are logarithms, or shares of a range that meets zero.
const STEP = 1e-3; // of derivatives by differences, whose error is of fourth order
const SMALL_STEP = 2e-6; // where a law is bent, so that steps to both sides do not agree
const FEASIBLE = 1e-9;

function derivatives(problem, x, width = STEP) {
  const { n, m, at } = problem;
  const size = m + 1;
  const value = new Float64Array(size);
  at(x, value);
  const gradient = Array.from({ length: size }, () => new Float64Array(n));
  const hessian = Array.from({ length: size }, () => new Float64Array(n * n));
  const y = Float64Array.from(x);
  const out = [0, 1, 2, 3].map(() => new Float64Array(size));
  for (let i = 0; i < n; i++) {
    [-2, -1, 1, 2].forEach((s, k) => {
      y[i] = x[i] + s * width;
      at(y, out[k]);
    });
    y[i] = x[i];
    for (let k = 0; k < size; k++) {
      const [a, b, c, d] = [out[0][k], out[1][k], out[2][k], out[3][k]];
      gradient[k][i] = (8 * (c - b) - (d - a)) / (12 * width);
      hessian[k][i * n + i] = (16 * (b + c) - a - d - 30 * value[k]) / (12 * width ** 2);
    }
  }
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < i; j++) {
      [[1, 1], [1, -1], [-1, 1], [-1, -1]].forEach(([s, t], k) => {
        y[i] = x[i] + s * width;
        y[j] = x[j] + t * width;
        at(y, out[k]);
      });
      y[i] = x[i];
      y[j] = x[j];
      for (let k = 0; k < size; k++) {
        const mixed = (out[0][k] - out[1][k] - out[2][k] + out[3][k]) / (4 * width ** 2);
        hessian[k][i * n + j] = hessian[k][j * n + i] = mixed;
      }
    }
  }
  return { value, gradient, hessian };
}

// Solves a x = b by elimination with pivoting; null if a is singular. `positive` asks for positive
// pivots without exchange, which a symmetric matrix has only if it is positive definite.
function linearSolve(a, b, positive = false) {
  const n = b.length;
  const rows = Array.from({ length: n }, (_, i) => [...a[i], b[i]]);
  let largest = 0;
  for (const row of rows) for (let j = 0; j < n; j++) largest = Math.max(largest, Math.abs(row[j]));
  for (let k = 0; k < n; k++) {
    let p = k;
    if (!positive) for (let i = k + 1; i < n; i++) if (Math.abs(rows[i][k]) > Math.abs(rows[p][k])) p = i;
    [rows[k], rows[p]] = [rows[p], rows[k]];
    const pivot = rows[k][k];
    if (!((positive ? pivot : Math.abs(pivot)) > 1e-14 * largest)) return null;
    for (let i = k + 1; i < n; i++) {
      const factor = rows[i][k] / pivot;
      for (let j = k; j <= n; j++) rows[i][j] -= factor * rows[k][j];
    }
  }
  const x = new Float64Array(n);
  for (let k = n - 1; k >= 0; k--) {
    let sum = rows[k][n];
    for (let j = k + 1; j < n; j++) sum -= rows[k][j] * x[j];
    x[k] = sum / rows[k][k];
  }
  return x;
}

const clamp = (problem, x) => x.map((v, i) => Math.min(Math.max(v, problem.low[i]), problem.high[i]));

function worst(value) {
  let most = 0;
  for (let k = 1; k < value.length; k++) most = Number.isNaN(value[k]) ? Infinity : Math.max(most, value[k]);
  return most;
}

// One minimisation of the augmented Lagrangian in the box, by Newton's method with damping.
function descend(problem, start, force, weight) {
  const { n, m } = problem;
  const out = new Float64Array(m + 1);
  const merit = (x) => {
    problem.at(x, out);
    let sum = out[0];
    for (let k = 0; k < m; k++) {
      const t = force[k] + weight * out[k + 1];
      sum += ((t > 0 ? t * t : 0) - force[k] * force[k]) / (2 * weight);
      if (Number.isNaN(t)) return Infinity;
    }
    return Number.isNaN(sum) ? Infinity : sum;
  };
  let x = Float64Array.from(start);
  let best = merit(x);
  let damping = 1e-4;
  for (let iteration = 0; iteration < 60; iteration++) {
    const d = derivatives(problem, x);
    const slope = Float64Array.from(d.gradient[0]);
    const bend = Float64Array.from(d.hessian[0]);
    for (let k = 0; k < m; k++) {
      const t = force[k] + weight * d.value[k + 1];
      if (!(t > 0)) continue;
      const g = d.gradient[k + 1];
      for (let i = 0; i < n; i++) {
        slope[i] += t * g[i];
        for (let j = 0; j < n; j++) bend[i * n + j] += weight * g[i] * g[j] + t * d.hessian[k + 1][i * n + j];
      }
    }
    const free = [];
    for (let i = 0; i < n; i++) {
      const stuck = (x[i] <= problem.low[i] && slope[i] > 0) || (x[i] >= problem.high[i] && slope[i] < 0);
      if (!stuck) free.push(i);
    }
    const steep = Math.max(0, ...free.map((i) => Math.abs(slope[i])));
    if (!(steep > 1e-12) || slope.some(Number.isNaN) || bend.some(Number.isNaN)) break;
    const diagonal = Math.max(1e-12, ...free.map((i) => Math.abs(bend[i * n + i])));
    let moved = false;
    for (let trial = 0; trial < 25 && !moved; trial++) {
      const a = free.map((i) => free.map((j) => bend[i * n + j] + (i === j ? damping * diagonal : 0)));
      const step = linearSolve(a, free.map((i) => -slope[i]), true);
      if (step !== null) {
        const long = Math.max(...step.map(Math.abs));
        const y = Float64Array.from(x);
        free.forEach((i, k) => (y[i] += step[k] * Math.min(1, 2 / long)));
        const z = clamp(problem, y);
        const value = merit(z);
        if (value < best) {
          const small = Math.max(...z.map((v, i) => Math.abs(v - x[i]))) < 1e-13;
          [x, best, moved] = [z, value, !small];
          damping = Math.max(damping * 0.1, 1e-14);
          break;
        }
      }
      damping = Math.max(damping * 10, 1e-10);
    }
    if (!moved) break;
  }
  return x;
}

// Newton's method on the first-order conditions with given limits and ends of ranges active.
// Returns null where it does not converge or a condition is broken.
function polish(problem, start, active, fixed, width = STEP) {
  const { n, m } = problem;
  const free = [...Array(n).keys()].filter((i) => !fixed[i]);
  if (active.length > free.length) return null;
  const size = free.length + active.length;
  let x = Float64Array.from(start);
  for (let iteration = 0; iteration < 25; iteration++) {
    const d = derivatives(problem, x, width);
    let last = new Float64Array(active.length);
    // The multipliers of this point, before its Hessian needs them.
    if (active.length) {
      const normal = active.map((k) => active.map((l) =>
        free.reduce((s, i) => s + d.gradient[k + 1][i] * d.gradient[l + 1][i], 0)));
      const right = active.map((k) => -free.reduce((s, i) => s + d.gradient[k + 1][i] * d.gradient[0][i], 0));
      last = linearSolve(normal, right);
      if (last === null) return null;
    }
    const a = Array.from({ length: size }, () => new Float64Array(size));
    const b = new Float64Array(size);
    free.forEach((i, r) => {
      b[r] = -d.gradient[0][i];
      free.forEach((j, c) => {
        a[r][c] = d.hessian[0][i * n + j];
        active.forEach((k, q) => (a[r][c] += last[q] * d.hessian[k + 1][i * n + j]));
      });
      active.forEach((k, q) => {
        a[r][free.length + q] = a[free.length + q][r] = d.gradient[k + 1][i];
      });
    });
    active.forEach((k, q) => (b[free.length + q] = -d.value[k + 1]));
    const step = size ? linearSolve(a, b) : new Float64Array(0);
    if (step === null) return null;
    const long = Math.max(0, ...free.map((_, r) => Math.abs(step[r])));
    if (!(long < 3)) return null;
    x = Float64Array.from(x);
    free.forEach((i, r) => (x[i] += step[r]));
    if (long < (width === STEP ? 1e-11 : 1e-8)) {
      if (width === STEP && isBent(problem, x)) return polish(problem, x, active, fixed, SMALL_STEP);
      return checked(problem, x, active, fixed, step.slice(free.length), width);
    }
  }
  return null;
}

// Whether slopes from wide and from small steps differ by more than their rounding.
function isBent(problem, x) {
  const [wide, small] = [STEP, SMALL_STEP].map((width) => derivatives(problem, x, width).gradient);
  return wide.some((g, k) => g.some((slope, i) => !(Math.abs(slope - small[k][i]) < 1e-7 * (1e-2 + Math.abs(slope)))));
}

function checked(problem, x, active, fixed, force, width) {
  const { n, low, high } = problem;
  const d = derivatives(problem, x, width);
  if (!(worst(d.value) <= FEASIBLE) || !Number.isFinite(d.value[0])) return null;
  if (force.some((f) => f < 0)) return null;
  for (let i = 0; i < n; i++) {
    if (x[i] < low[i] - 1e-12 || x[i] > high[i] + 1e-12) return null;
    if (!fixed[i]) continue;
    const slope = active.reduce((s, k, q) => s + force[q] * d.gradient[k + 1][i], d.gradient[0][i]);
    if (fixed[i] < 0 ? slope < -1e-9 : slope > 1e-9) return null;
  }
  return { x, objective: d.value[0], active, fixed, converged: true };
}

// Nested golden sections of the exact penalty, for kinks, where the conditions cannot hold.
function golden(problem, centre, reach) {
  const out = new Float64Array(problem.m + 1);
  const y = Float64Array.from(centre);
  const ratio = (Math.sqrt(5) - 1) / 2;
  const along = (i) => {
    if (i === problem.n) {
      problem.at(y, out);
      const over = worst(out);
      return Number.isNaN(out[0]) ? Infinity : out[0] + 100 * over * (1 + Math.abs(out[0]));
    }
    let a = Math.max(problem.low[i], centre[i] - reach);
    let b = Math.min(problem.high[i], centre[i] + reach);
    const f = (v) => {
      y[i] = v;
      return along(i + 1);
    };
    let [c, d] = [b - ratio * (b - a), a + ratio * (b - a)];
    let [fc, fd] = [f(c), f(d)];
    while (b - a > 1e-10) {
      if (fc <= fd) [b, d, fd, c] = [d, c, fc, NaN];
      else [a, c, fc, d] = [c, d, fd, NaN];
      if (Number.isNaN(c)) fc = f((c = b - ratio * (b - a)));
      else fd = f((d = a + ratio * (b - a)));
    }
    return f(fc <= fd ? c : d);
  };
  along(0);
  return y;
}

// From one start to the optimum near it; null if no point there keeps the limits.
function refine(problem, start) {
  const { n, m, low, high } = problem;
  let x = clamp(problem, Float64Array.from(start));
  const out = new Float64Array(m + 1);
  if (n === 0) {
    problem.at(x, out);
    const fine = worst(out) <= FEASIBLE && Number.isFinite(out[0]);
    return fine ? { x, objective: out[0], active: [], fixed: [], converged: true } : null;
  }
  const force = new Float64Array(m);
  let weight = 10;
  let before = Infinity;
  for (let round = 0; round < 30; round++) {
    x = descend(problem, x, force, weight);
    problem.at(x, out);
    let change = 0;
    for (let k = 0; k < m; k++) {
      const next = Math.max(0, force[k] + weight * out[k + 1]);
      change = Math.max(change, Math.abs(next - force[k]) / weight);
      force[k] = next;
    }
    if (change < 1e-8) break;
    if (change > 0.25 * before) weight = Math.min(weight * 5, 1e8);
    before = change;
  }
  const active = [...force.keys()].filter((k) => force[k] > 0 && out[k + 1] > -1e-5);
  const fixed = [...x].map((v, i) => (v <= low[i] ? -1 : v >= high[i] ? 1 : 0));
  const found = polish(problem, x, active, fixed);
  if (found !== null && found.objective <= out[0] + 1e-6 * (1 + Math.abs(out[0]))) return found;
  if (n <= 3 && worst(out) < 0.5) {
    const y = golden(problem, x, 0.5);
    problem.at(y, out);
    x = y;
  }
  problem.at(x, out);
  if (!(worst(out) <= 1e-6) || !Number.isFinite(out[0])) return null;
  return { x, objective: out[0], active, fixed, converged: false };
}

// The best few local minima of a grid, and how far the best cell is from keeping the limits.
function gridStarts(problem, cells, most) {
  const { n, m, low, high } = problem;
  if (n === 0) return { starts: [new Float64Array(0)], violated: -1 };
  const points = Math.max(5, Math.floor(Math.min(cells, 40000) ** (1 / n)));
  const total = points ** n;
  const score = new Float64Array(total);
  const out = new Float64Array(m + 1);
  const place = (cell) => {
    const x = new Float64Array(n);
    for (let i = 0, rest = cell; i < n; i++, rest = Math.floor(rest / points)) {
      x[i] = low[i] + ((high[i] - low[i]) * (rest % points)) / (points - 1);
    }
    return x;
  };
  let [nearest, nearestCell, violated] = [Infinity, 0, -1];
  for (let cell = 0; cell < total; cell++) {
    problem.at(place(cell), out);
    const over = worst(out);
    score[cell] = over > 0 || Number.isNaN(out[0]) ? Infinity : out[0];
    if (over < nearest && !Number.isNaN(out[0])) {
      [nearest, nearestCell] = [over, cell];
      violated = over > 0 ? out.indexOf(over) - 1 : -1;
    }
  }
  const minima = [];
  for (let cell = 0; cell < total; cell++) {
    let least = score[cell] < Infinity;
    for (let i = 0, stride = 1; least && i < n; i++, stride *= points) {
      const at = Math.floor(cell / stride) % points;
      if (at > 0 && score[cell - stride] < score[cell]) least = false;
      if (at < points - 1 && score[cell + stride] < score[cell]) least = false;
    }
    if (least) minima.push(cell);
  }
  minima.sort((a, b) => score[a] - score[b]);
  const kept = minima.length ? minima.slice(0, most) : [nearestCell];
  return { starts: kept.map(place), violated };
}

function minimise(problem, cells) {
  const { starts, violated } = gridStarts(problem, cells, 3);
  let best = null;
  for (const start of starts) {
    const found = refine(problem, start);
    if (found !== null && (best === null || found.objective < best.objective)) best = found;
  }
  return { best, violated };
}
