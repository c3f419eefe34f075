// The functions of the formula language that JavaScript lacks, accurate to rounding.
const runtime = {
  sigmoid(x) {
    if (x >= 0) return 1 / (1 + Math.exp(-x));
    const e = Math.exp(x);
    return e / (1 + e);
  },
  logit(p) {
    return Math.log(p) - Math.log1p(-p);
  },
  softplus(x) {
    return Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));
  },
  logaddexp(a, b) {
    return runtime.logsumexp(a, b);
  },
  logsumexp(...terms) {
    const most = Math.max(...terms);
    if (!Number.isFinite(most)) return most;
    let sum = 0;
    for (const t of terms) sum += Math.exp(t - most);
    return most + Math.log(sum);
  },
  // The series converges everywhere and has positive terms only.
  erf(x) {
    if (Number.isNaN(x)) return NaN;
    if (Math.abs(x) > 2.5) return Math.sign(x) * (1 - runtime.erfc(Math.abs(x)));
    let term = x;
    let sum = x;
    for (let k = 1; Math.abs(term) > 1e-18 * Math.abs(sum); k++) {
      term *= (2 * x * x) / (2 * k + 1);
      sum += term;
    }
    return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * sum;
  },
  // Beyond 2.5 a continued fraction, evaluated from its end: x + (1/2)/(x + 1/(x + (3/2)/...)).
  erfc(x) {
    if (!(x > 2.5)) return 1 - runtime.erf(x);
    let tail = x;
    for (let k = 80; k >= 1; k--) tail = x + k / 2 / tail;
    return Math.exp(-x * x) / (tail * Math.sqrt(Math.PI));
  },
  normcdf(x) {
    return 0.5 * runtime.erfc(-x / Math.SQRT2);
  },
  sum(first, end, body) {
    let total = 0;
    for (let i = Math.ceil(first); i < end; i++) total += body(i);
    return total;
  },
  prod(first, end, body) {
    let total = 1;
    for (let i = Math.ceil(first); i < end; i++) total *= body(i);
    return total;
  },
};
