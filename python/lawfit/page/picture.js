// The picture: lines of equal loss, the limits, the flat region and the best plan, as SVG.
const SVG = "http://www.w3.org/2000/svg";
const FINE = 96; // points of the grid along each axis

function element(name, attributes, text) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  return made;
}

// Marching squares: the segments along which a field over a FINE x FINE grid is zero.
function crossings(field, count) {
  const segments = [];
  const between = (a, b) => a / (a - b);
  for (let j = 0; j < count - 1; j++) {
    for (let i = 0; i < count - 1; i++) {
      const f = [field[j * count + i], field[j * count + i + 1],
        field[(j + 1) * count + i + 1], field[(j + 1) * count + i]];
      if (!f.every(Number.isFinite)) continue;
      const points = [];
      if (f[0] > 0 !== f[1] > 0) points.push([i + between(f[0], f[1]), j]);
      if (f[1] > 0 !== f[2] > 0) points.push([i + 1, j + between(f[1], f[2])]);
      if (f[2] > 0 !== f[3] > 0) points.push([i + between(f[3], f[2]), j + 1]);
      if (f[3] > 0 !== f[0] > 0) points.push([i, j + between(f[0], f[3])]);
      for (let k = 0; k + 1 < points.length; k += 2) segments.push([points[k], points[k + 1]]);
    }
  }
  return segments;
}

// The polygons of the cells, cut where the field is above zero.
function belowZero(field, count) {
  const polygons = [];
  for (let j = 0; j < count - 1; j++) {
    for (let i = 0; i < count - 1; i++) {
      const corners = [[i, j], [i + 1, j], [i + 1, j + 1], [i, j + 1]];
      const f = corners.map(([a, b]) => field[b * count + a]);
      if (!f.every(Number.isFinite) || f.every((x) => x > 0)) continue;
      const polygon = [];
      corners.forEach((corner, k) => {
        const next = (k + 1) % 4;
        if (f[k] <= 0) polygon.push(corner);
        if (f[k] > 0 !== f[next] > 0) {
          const t = f[k] / (f[k] - f[next]);
          polygon.push(corner.map((c, d) => c + t * (corners[next][d] - c)));
        }
      });
      polygons.push(polygon);
    }
  }
  return polygons;
}

function ticks(axis, room) {
  const found = [];
  if (axis.log) {
    const [low, high] = [axis.from / Math.LN10, axis.to / Math.LN10];
    const every = Math.max(1, Math.ceil((high - low) / room));
    const parts = high - low < 0.5 * room ? [1, 2, 5] : [1];
    for (let e = Math.floor(low); e <= high; e++) {
      if (e % every !== 0) continue;
      for (const p of parts) {
        const value = Number(`${p}e${e}`);
        if (Math.log10(value) >= low && Math.log10(value) <= high) found.push(value);
      }
    }
    return found;
  }
  const [low, high] = [natural(axis.c, axis.from), natural(axis.c, axis.to)];
  const raw = (high - low) / room;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = power * [1, 2, 5, 10].find((s) => s * power >= raw);
  for (let k = Math.ceil(low / step); k * step <= high; k++) found.push(Number((k * step).toPrecision(12)));
  return found;
}

// What is shown along an axis: the flat region and its surroundings, within the range.
function axisOf(c, best, flat) {
  const at = coordinate(c, best[c.name]);
  const ends = flat.ranges[c.name].map((x) => coordinate(c, x));
  const [low, high] = [coordinate(c, c.low), coordinate(c, c.high)];
  const margin = c.log ? Math.LN10 : 0.25 * (high - low);
  return {
    c,
    log: c.log,
    from: Math.max(low, Math.min(at - margin, ends[0] - 0.5 * margin)),
    to: Math.min(high, Math.max(at + margin, ends[1] + 0.5 * margin)),
  };
}

function frame(svg, width, height, axes, labels) {
  const box = { left: 66, right: width - 12, top: 28, bottom: height - 46 };
  const place = [
    (x) => box.left + ((x - axes[0].from) / (axes[0].to - axes[0].from)) * (box.right - box.left),
    (y) => box.bottom - ((y - axes[1].from) / (axes[1].to - axes[1].from)) * (box.bottom - box.top),
  ];
  const clip = element("clipPath", { id: "inside" });
  clip.append(element("rect", { x: box.left, y: box.top, width: box.right - box.left, height: box.bottom - box.top }));
  const inside = element("g", { "clip-path": "url(#inside)" });
  const outside = element("g", {});
  outside.append(element("rect", { class: "frame", x: box.left, y: box.top, width: box.right - box.left, height: box.bottom - box.top }));
  for (const value of ticks(axes[0], width / 90)) {
    const x = place[0](axes[0].c ? coordinate(axes[0].c, value) : value);
    outside.append(element("line", { class: "tick", x1: x, x2: x, y1: box.bottom, y2: box.bottom + 5 }));
    outside.append(element("text", { x, y: box.bottom + 19, "text-anchor": "middle" }, short(value)));
  }
  for (const value of ticks(axes[1], height / 60)) {
    const y = place[1](axes[1].c ? coordinate(axes[1].c, value) : value);
    outside.append(element("line", { class: "tick", x1: box.left - 5, x2: box.left, y1: y, y2: y }));
    outside.append(element("text", { x: box.left - 8, y: y + 4, "text-anchor": "end" }, short(value)));
  }
  outside.append(element("text", { class: "axis", x: (box.left + box.right) / 2, y: height - 6, "text-anchor": "middle" }, labels[0]));
  outside.append(element("text", { class: "axis", x: 4, y: 16 }, labels[1]));
  svg.append(clip, inside, outside);
  return { box, place, inside, outside };
}

const titled = (c) => (c.unit ? `${c.name} (${c.unit})` : c.name);

function contour(svg, settings, made, flat, width, height) {
  const [p, q] = DATA.axes;
  const [cp, cq] = [DATA.continuous[p], DATA.continuous[q]];
  const axes = [axisOf(cp, made.best, flat), axisOf(cq, made.best, flat)];
  const { place, inside, outside, box } = frame(svg, width, height, axes, [titled(cp), titled(cq)]);
  const v = valuesFor(settings);
  put(v, made.optima[0].combination);
  const problem = problemOf(v);
  const x = Float64Array.from(made.optima[0].x);
  const out = new Float64Array(problem.m + 1);
  const fields = Array.from({ length: problem.m + 1 }, () => new Float64Array(FINE * FINE));
  const along = (axis, k) => axis.from + ((axis.to - axis.from) * k) / (FINE - 1);
  for (let j = 0; j < FINE; j++) {
    for (let i = 0; i < FINE; i++) {
      x[p] = along(axes[0], i);
      x[q] = along(axes[1], j);
      problem.at(x, out);
      fields.forEach((field, k) => (field[j * FINE + i] = out[k]));
    }
  }
  const where = ([i, j]) => [place[0](along(axes[0], i)), place[1](along(axes[1], j))];
  const text = (point) => where(point).map((z) => z.toFixed(1)).join(" ");
  const lines = (segments) => segments.map(([a, b]) => `M${text(a)}L${text(b)}`).join("");
  const areas = (polygons) => polygons.map((points) => `M${points.map(text).join("L")}Z`).join("");

  const broken = fields[0].map((_, cell) => {
    let most = -Infinity;
    for (let k = 1; k < fields.length; k++) most = Math.max(most, fields[k][cell]);
    return most;
  });
  const best = made.optima[0].objective;
  const room = DATA.tolerance * Math.abs(best);
  const excess = fields[0].map((f) => (f - best - room) / room);
  inside.append(element("path", { class: "barred", d: areas(belowZero(broken.map((g) => -g), FINE)) }));
  inside.append(element("path", { class: "flat", d: areas(belowZero(excess.map((e, k) => Math.max(e, 10 * broken[k])), FINE)) }));
  const o = made.optima[0].x;
  const dot = [place[0](o[p]), place[1](o[q])];
  const labels = [dot];
  for (const share of [-0.1, -0.05, -0.02, -0.01, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1]) {
    const level = best + share * Math.abs(best);
    const segments = crossings(fields[0].map((f) => f - level), FINE);
    if (!segments.length) continue;
    inside.append(element("path", { class: "level", d: lines(segments) }));
    // Labels stand along the rising diagonal, where the lines lie across, away from the dot.
    const centre = ([[a, b], [c, d]]) => Math.abs((a + c) / 2 - (b + d) / 2);
    const at = segments.reduce((one, other) => (centre(other) < centre(one) ? other : one));
    const [px, py] = where(at[0]);
    const free = labels.every(([lx, ly]) => Math.abs(lx - px) > 44 || Math.abs(ly - py) > 15);
    if (!free || px < box.left + 24 || px > box.right - 24 || py < box.top + 12 || py > box.bottom - 8) continue;
    labels.push([px, py]);
    const value = DATA.maximise ? -level : level;
    outside.append(element("text", { class: "label", x: px, y: py + 4, "text-anchor": "middle" }, value.toPrecision(4)));
  }
  MODEL.limits.forEach((limit, k) => {
    const segments = crossings(fields[k + 1], FINE);
    inside.append(element("path", { class: k === 0 ? "budget" : "limit", d: lines(segments) }));
  });
  inside.append(element("path", { class: "edge", d: lines(crossings(excess.map((e, k) => (broken[k] > 0 ? NaN : e)), FINE)) }));
  outside.append(element("circle", { class: "best", cx: dot[0], cy: dot[1], r: 6 }));
}

// With one continuous variable: the loss along it.
function curve(svg, settings, made, flat, width, height) {
  const [c] = DATA.continuous;
  const axis = axisOf(c, made.best, flat);
  const v = valuesFor(settings);
  put(v, made.optima[0].combination);
  const problem = problemOf(v);
  const out = new Float64Array(problem.m + 1);
  const points = Array.from({ length: 240 }, (_, k) => {
    const x = axis.from + ((axis.to - axis.from) * k) / 239;
    problem.at([x], out);
    return { x, y: MODEL.loss(v), over: worst(out) > 0 };
  }).filter((point) => Number.isFinite(point.y));
  const losses = points.map((point) => point.y);
  const [least, most] = [Math.min(...losses), Math.max(...losses)];
  const margin = 0.08 * (most - least) || 0.01 * Math.abs(least) || 1;
  const up = { log: false, c: { log: false, scale: 1 }, from: least - margin, to: most + margin };
  const { place, inside, outside } = frame(svg, width, height, [axis, up], [titled(c), "loss"]);
  const path = (some) => some.map((point, k) => `${k ? "L" : "M"}${place[0](point.x).toFixed(1)} ${place[1](point.y).toFixed(1)}`).join("");
  inside.append(element("path", { class: "level", d: path(points) }));
  inside.append(element("path", { class: "budget", d: path(points.filter((point) => !point.over)) }));
  outside.append(element("circle", { class: "best", cx: place[0](made.optima[0].x[0]), cy: place[1](made.best.loss), r: 6 }));
}

function draw(svg, settings, made, flat) {
  svg.replaceChildren();
  const width = Math.max(260, svg.parentElement.clientWidth);
  const height = Math.round(Math.min(520, Math.max(300, 0.72 * width)));
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  svg.setAttribute("width", width);
  svg.setAttribute("height", height);
  if (made.best === null || !DATA.continuous.length) return;
  if (DATA.continuous.length === 1) curve(svg, settings, made, flat, width, height);
  else contour(svg, settings, made, flat, width, height);
}
