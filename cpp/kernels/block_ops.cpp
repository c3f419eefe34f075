// The kernels, compiled once per instruction set; LAWFIT_BUILD names the build.
#include <lawfit/kernels.hpp>
#include "losses.hpp"
#include "vector_math.hpp"

namespace lawfit::kernels {
namespace {

#define ROWS for (int i = 0, end = whole(n); i < end; ++i)

// --- elementwise functions: value and derivative --------------------------------------------------

struct exp_op {
    static double value(double a) { return exp_(a); }
    static double slope(double, double out) { return out; }
    static double bend(double, double out) { return out; }
};
struct log_op {
    static double value(double a) { return log_(a); }
    static double slope(double a, double) { return 1.0 / a; }
    static double bend(double a, double) { return -1.0 / (a * a); }
};
struct sqrt_op {
    static double value(double a) { return sqrt_(a); }
    static double slope(double, double out) { return 0.5 / out; }
    static double bend(double a, double out) { return -0.25 / (a * out); }
};
struct log1p_op {
    static double value(double a) { return log1p_(a); }
    static double slope(double a, double) { return 1.0 / (1.0 + a); }
    static double bend(double a, double) { return -1.0 / ((1.0 + a) * (1.0 + a)); }
};
struct expm1_op {
    static double value(double a) { return expm1_(a); }
    static double slope(double a, double) { return exp_(a); }
    static double bend(double a, double) { return exp_(a); }
};
struct reciprocal_op {
    static double value(double a) { return 1.0 / a; }
    static double slope(double, double out) { return -out * out; }
    static double bend(double, double out) { return 2.0 * out * out * out; }
};
struct abs_op {
    static double value(double a) { return abs_(a); }
    static double slope(double a, double) { return a > 0.0 ? 1.0 : (a < 0.0 ? -1.0 : 0.0); }
    static double bend(double, double) { return 0.0; }
};
struct tanh_op {
    static double value(double a) { return tanh_(a); }
    // 1 / cosh^2, which 1 - out^2 loses in the tails
    static double slope(double a, double) {
        const double e = exp_(-2.0 * abs_(a));
        return 4.0 * e / ((1.0 + e) * (1.0 + e));
    }
    static double bend(double a, double out) { return -2.0 * out * slope(a, out); }
};
struct sigmoid_op {
    static double value(double a) { return sigmoid_(a); }
    static double slope(double a, double out) { return out * sigmoid_(-a); }
    static double bend(double a, double out) { return out * sigmoid_(-a) * (sigmoid_(-a) - out); }
};
struct softplus_op {
    static double value(double a) { return softplus_(a); }
    static double slope(double a, double) { return sigmoid_(a); }
    static double bend(double a, double) { return sigmoid_(a) * sigmoid_(-a); }
};
struct logit_op {
    static double value(double a) { return logit_(a); }
    static double slope(double a, double) { return 1.0 / (a * (1.0 - a)); }
    static double bend(double a, double) {
        return (2.0 * a - 1.0) / (a * a * (1.0 - a) * (1.0 - a));
    }
};
struct erf_op {
    static double value(double a) { return erf_(a); }
    static double slope(double a, double) { return 1.1283791670955126 * exp_(-a * a); }
    static double bend(double a, double) { return -2.0 * a * slope(a, 0.0); }
};
struct normcdf_op {
    static double value(double a) { return normcdf_(a); }
    static double slope(double a, double) { return 0.3989422804014327 * exp_(-0.5 * a * a); }
    static double bend(double a, double) { return -a * slope(a, 0.0); }
};

struct sin_op {
    static double value(double a) { return sin_(a); }
    static double slope(double a, double) { return cos_(a); }
    static double bend(double, double out) { return -out; }
};
struct cos_op {
    static double value(double a) { return cos_(a); }
    static double slope(double a, double) { return -sin_(a); }
    static double bend(double, double out) { return -out; }
};
struct still_op {
    static double value(double a) { return a; }
    static double slope(double, double) { return 0.0; }
    static double bend(double, double) { return 0.0; }
};
struct arctan_op {
    static double value(double a) { return arctan_(a); }
    // 1 / (1 + a^2), without overflow
    static double slope(double a, double) {
        const bool large = abs_(a) > 1e100;
        return (1.0 / (large ? a : 1.0)) / (large ? a : 1.0 + a * a);
    }
    static double bend(double a, double out) {
        const double s = slope(a, out);
        return -2.0 * (a * s) * s;
    }
};

// What stands in for an operation in a block with arguments beyond its range: by default itself.
template <class Op>
struct Beyond {
    using op = Op;
    static bool reached(int, const double*) { return false; }
};
struct far_sin_op : sin_op {
    static double value(double a) { return far_sin(a); }
    static double slope(double a, double) { return far_cos(a); }
};
struct far_cos_op : cos_op {
    static double value(double a) { return far_cos(a); }
    static double slope(double a, double) { return -far_sin(a); }
};
bool beyond_angle_limit(int n, const double* a) {
    int count = 0;
    ROWS count += abs_(a[i]) > angle_limit;
    return count > 0;
}
template <>
struct Beyond<sin_op> {
    using op = far_sin_op;
    static bool reached(int n, const double* a) { return beyond_angle_limit(n, a); }
};
template <>
struct Beyond<cos_op> {
    using op = far_cos_op;
    static bool reached(int n, const double* a) { return beyond_angle_limit(n, a); }
};

template <class Op>
void unary_forward(int n, const double* LAWFIT_RESTRICT a, double* LAWFIT_RESTRICT out) {
    if (Beyond<Op>::reached(n, a)) return unary_forward<typename Beyond<Op>::op>(n, a, out);
    ROWS out[i] = Op::value(a[i]);
}

// Where nothing flows nothing arrives: neither a zero adjoint times an infinite slope nor the reverse is NaN.
LAWFIT_INLINE double flow(double adjoint, double slope) {
    // Two selections are vectorised, an or is not.
    const double product = slope == 0.0 ? 0.0 : adjoint * slope;
    return adjoint == 0.0 ? 0.0 : product;
}

template <class Op>
void unary_reverse(int n, const double* LAWFIT_RESTRICT a, const double* LAWFIT_RESTRICT out,
                   const double* LAWFIT_RESTRICT d_out, double* LAWFIT_RESTRICT d_a, bool add) {
    if (Beyond<Op>::reached(n, a))
        return unary_reverse<typename Beyond<Op>::op>(n, a, out, d_out, d_a, add);
    if (add) {
        ROWS d_a[i] += flow(d_out[i], Op::slope(a[i], out[i]));
    } else {
        ROWS d_a[i] = flow(d_out[i], Op::slope(a[i], out[i]));
    }
}

template <class Op>
void unary_second(int n, const double* LAWFIT_RESTRICT a, const double* LAWFIT_RESTRICT out,
                  const double* LAWFIT_RESTRICT t_a, const double* LAWFIT_RESTRICT d_out,
                  double* LAWFIT_RESTRICT t_d_a) {
    ROWS t_d_a[i] += flow(flow(d_out[i], t_a[i]), Op::bend(a[i], out[i]));
}

struct mul_op {
    static double value(double a, double b) { return a * b; }
    static double slope_a(double, double b, double) { return b; }
    static double slope_b(double a, double, double) { return a; }
    static double bend_aa(double, double, double) { return 0.0; }
    static double bend_ab(double, double, double) { return 1.0; }
    static double bend_bb(double, double, double) { return 0.0; }
};
struct div_op {
    static double value(double a, double b) { return a / b; }
    static double slope_a(double, double b, double) { return 1.0 / b; }
    static double slope_b(double, double b, double out) { return -out / b; }
    static double bend_aa(double, double, double) { return 0.0; }
    static double bend_ab(double, double b, double) { return -1.0 / (b * b); }
    static double bend_bb(double, double b, double out) { return 2.0 * out / (b * b); }
};
struct pow_op {
    static double value(double a, double b) { return pow_(a, b); }
    static double slope_a(double a, double b, double) {
        return b == 0.0 ? 0.0 : b * pow_(a, b - 1.0);
    }
    // Zero for a <= 0, where only integer exponents are defined and 0^b does not move.
    static double slope_b(double a, double, double out) { return a > 0.0 ? out * log_(a) : 0.0; }
    static double bend_aa(double a, double b, double) {
        return b * (b - 1.0) == 0.0 ? 0.0 : b * (b - 1.0) * pow_(a, b - 2.0);
    }
    static double bend_ab(double a, double b, double) {
        return a > 0.0 ? pow_(a, b - 1.0) * (1.0 + b * log_(a)) : 0.0;
    }
    static double bend_bb(double a, double, double out) {
        return a > 0.0 ? out * log_(a) * log_(a) : 0.0;
    }
};
struct any_pow_op : pow_op {};  // whatever the arguments
struct min_op {
    static double value(double a, double b) { return b < a || b != b ? b : a; }
    static double slope_a(double a, double b, double) { return b < a ? 0.0 : 1.0; }
    static double slope_b(double a, double b, double) { return b < a ? 1.0 : 0.0; }
    static double bend_aa(double, double, double) { return 0.0; }
    static double bend_ab(double, double, double) { return 0.0; }
    static double bend_bb(double, double, double) { return 0.0; }
};
struct max_op {
    static double value(double a, double b) { return b > a || b != b ? b : a; }
    static double slope_a(double a, double b, double) { return b > a ? 0.0 : 1.0; }
    static double slope_b(double a, double b, double) { return b > a ? 1.0 : 0.0; }
    static double bend_aa(double, double, double) { return 0.0; }
    static double bend_ab(double, double, double) { return 0.0; }
    static double bend_bb(double, double, double) { return 0.0; }
};
struct comparison_op {
    static double slope_a(double, double, double) { return 0.0; }
    static double slope_b(double, double, double) { return 0.0; }
    static double bend_aa(double, double, double) { return 0.0; }
    static double bend_ab(double, double, double) { return 0.0; }
    static double bend_bb(double, double, double) { return 0.0; }
};
struct lt_op : comparison_op {
    static double value(double a, double b) { return a < b ? 1.0 : 0.0; }
};
struct le_op : comparison_op {
    static double value(double a, double b) { return a <= b ? 1.0 : 0.0; }
};
struct eq_op : comparison_op {
    static double value(double a, double b) { return a == b ? 1.0 : 0.0; }
};
struct ne_op : comparison_op {
    static double value(double a, double b) { return a != b ? 1.0 : 0.0; }
};

template <class Op>
void binary_forward(int n, const double* LAWFIT_RESTRICT a, const double* LAWFIT_RESTRICT b,
                    double* LAWFIT_RESTRICT out) {
    ROWS out[i] = Op::value(a[i], b[i]);
}

// a and b may be the same operand, so the two adjoints are separate passes and nothing is restrict.
template <class Op>
void binary_reverse(int n, const double* a, const double* b, const double* out, const double* d_out,
                    double* d_a, bool add_a, double* d_b, bool add_b) {
    if (d_a) {
        ROWS {
            const double d = flow(d_out[i], Op::slope_a(a[i], b[i], out[i]));
            d_a[i] = add_a ? d_a[i] + d : d;
        }
    }
    if (d_b) {
        ROWS {
            const double d = flow(d_out[i], Op::slope_b(a[i], b[i], out[i]));
            d_b[i] = add_b ? d_b[i] + d : d;
        }
    }
}

template <class Op>
void binary_second(int n, const double* a, const double* b, const double* out, const double* t_a,
                   const double* t_b, const double* d_out, double* t_d_a, double* t_d_b) {
    ROWS {
        const double ta = t_a ? t_a[i] : 0.0;
        const double tb = t_b ? t_b[i] : 0.0;
        const double ab = Op::bend_ab(a[i], b[i], out[i]);
        const double d_a =
            (ta == 0.0 ? 0.0 : Op::bend_aa(a[i], b[i], out[i]) * ta) + (tb == 0.0 ? 0.0 : ab * tb);
        const double d_b =
            (ta == 0.0 ? 0.0 : ab * ta) + (tb == 0.0 ? 0.0 : Op::bend_bb(a[i], b[i], out[i]) * tb);
        if (t_d_a) t_d_a[i] += flow(d_out[i], d_a);
        if (t_d_b) t_d_b[i] += flow(d_out[i], d_b);
    }
}

// The derivatives of powers that are all far from zero, infinity and the negative need no other power.
bool powers_are_tame(int n, const double* a, const double* b, const double* out) {
    int count = 0;
    ROWS count += (a[i] > 1e-100) & (a[i] < 1e100) & (out[i] > 1e-100) & (out[i] < 1e100) &
                  (abs_(b[i]) < 1e100);
    return count == n;
}

template <>
void binary_reverse<pow_op>(int n, const double* a, const double* b, const double* out,
                            const double* d_out, double* d_a, bool add_a, double* d_b, bool add_b) {
    if (n > block_rows || !powers_are_tame(n, a, b, out))
        return binary_reverse<any_pow_op>(n, a, b, out, d_out, d_a, add_a, d_b, add_b);
    if (d_a) {
        ROWS {
            const double d = d_out[i] * (b[i] * (out[i] / a[i]));
            d_a[i] = add_a ? d_a[i] + d : d;
        }
    }
    if (d_b) {
        double logs[block_rows];
        unary_forward<log_op>(n, a, logs);
        ROWS {
            const double d = d_out[i] * (out[i] * logs[i]);
            d_b[i] = add_b ? d_b[i] + d : d;
        }
    }
}

template <>
void binary_second<pow_op>(int n, const double* a, const double* b, const double* out,
                           const double* t_a, const double* t_b, const double* d_out, double* t_d_a,
                           double* t_d_b) {
    if (n > block_rows || !powers_are_tame(n, a, b, out))
        return binary_second<any_pow_op>(n, a, b, out, t_a, t_b, d_out, t_d_a, t_d_b);
    double logs[block_rows];
    unary_forward<log_op>(n, a, logs);
    ROWS {
        const double ta = t_a ? t_a[i] : 0.0;
        const double tb = t_b ? t_b[i] : 0.0;
        const double slope = d_out[i] * out[i] / a[i];
        const double both = slope * (1.0 + b[i] * logs[i]);
        if (t_d_a) t_d_a[i] += slope / a[i] * (b[i] * (b[i] - 1.0)) * ta + both * tb;
        if (t_d_b) t_d_b[i] += both * ta + d_out[i] * out[i] * (logs[i] * logs[i]) * tb;
    }
}

void where_forward(int n, const double* condition, const double* a, const double* b, double* out) {
    ROWS out[i] = condition[i] != 0.0 ? a[i] : b[i];
}

void where_reverse(int n, const double* condition, const double* d_out, double* d_a, bool add_a,
                   double* d_b, bool add_b) {
    if (d_a) {
        ROWS {
            const double d = condition[i] != 0.0 ? d_out[i] : 0.0;
            d_a[i] = add_a ? d_a[i] + d : d;
        }
    }
    if (d_b) {
        ROWS {
            const double d = condition[i] != 0.0 ? 0.0 : d_out[i];
            d_b[i] = add_b ? d_b[i] + d : d;
        }
    }
}

// --- terms -----------------------------------------------------------------------------------------

void affine(int n, double offset, int terms, const double* coefficient, const double* const* x,
            double* LAWFIT_RESTRICT out) {
    if (terms == 0) {
        ROWS out[i] = offset;
        return;
    }
    const double c0 = coefficient[0];
    const double* LAWFIT_RESTRICT x0 = x[0];
    if (terms == 1) {
        ROWS out[i] = offset + c0 * x0[i];
        return;
    }
    const double c1 = coefficient[1];
    const double* LAWFIT_RESTRICT x1 = x[1];
    ROWS out[i] = offset + c0 * x0[i] + c1 * x1[i];
    for (int k = 2; k < terms; ++k) {
        const double c = coefficient[k];
        const double* LAWFIT_RESTRICT xk = x[k];
        ROWS out[i] += c * xk[i];
    }
}

// Largest |x[i] - reference|; NaN is passed over.
double reach(int n, const double* x, double reference) {
    Vector worst = {};
    for (int i = 0; i < n; i += width) {
        const Vector d = load(x + i) - reference;
        const Vector a = d < 0.0 ? -d : d;
        worst = a > worst ? a : worst;
    }
    double result = 0.0;
    for (int i = 0; i < width; ++i) result = lane(worst, i) > result ? lane(worst, i) : result;
    return result;
}

// log and 1 / x of positive normal numbers below 1e307, sharing one division. The error of the logarithm
// is absolute.
LAWFIT_INLINE Vector log_and_reciprocal(const Vector& x, Vector& reciprocal) {
    // x = (1 + f) 2^e with 1 + f in [sqrt(1/2), sqrt(2)), whose lower end has these bits: counted from
    // there, x carries into the exponent where 1 + f would be too large.
    constexpr std::uint64_t one = 0x3ff0000000000000u, low = 0x3fe6a09e667f3bcdu;
    const auto b = bits_of(x) + (one - low);
    const Vector f = from_bits((b & 0x000fffffffffffffu) + low) - 1.0;
    const Vector e = from_bits((b >> 52) | 0x4330000000000000u) - (0x1p52 + 1023.0);
    const Vector denominator = 2.0 + f;
    const Vector both = 1.0 / (denominator * x);
    reciprocal = both * denominator;
    const Vector s = f * (x * both);
    const Vector z = s * s;
    return e * ln2_high + (e * ln2_low + (f - s * (f - z * log_tail(z))));
}

// Term by term over all rows, so that the constants of an exponential stay in registers.
void log_sum(int n, double reference, double fixed_sum, int terms, const Exponential* term,
             const Residual* residual, double* out, double* const* share, double* fixed_share) {
    const Vector zero = {};
    for (int k = 0; k < terms; ++k) {
        const Vector c = zero + term[k].coefficient, offset = zero + term[k].offset,
                     slope = zero + term[k].slope, first = zero + fixed_sum;
        const double* x = term[k].x;
        for (int i = 0; i < n; i += width) {
            const Vector e = exp_tame(offset + slope * load(x + i));
            store(share[k] + i, e);
            store(out + i, (k == 0 ? first : load(out + i)) + c * e);
        }
    }
    const double* target = residual ? residual->target : nullptr;
    const double* row_factor = residual ? residual->row_factor : nullptr;
    const double factor = residual ? residual->factor : 1.0;
    constexpr int count = row_multiple / width;
    for (int i = 0; i < n; i += row_multiple) {
        Vector inverse[count];
        for (int u = 0; u < count; ++u) {
            const int row = i + u * width;
            Vector value = reference + log_and_reciprocal(load(out + row), inverse[u]);
            if (target) value = (value - load(target + row)) * factor;
            if (row_factor) value *= load(row_factor + row);
            store(out + row, value);
        }
        if (fixed_share)
            for (int u = 0; u < count; ++u) store(fixed_share + i + u * width, inverse[u]);
        for (int k = 0; k < terms; ++k)
            for (int u = 0; u < count; ++u) {
                double* s = share[k] + i + u * width;
                store(s, load(s) * inverse[u]);
            }
    }
}

LAWFIT_INLINE bool ordinary(double c) { return c > 1e-30 && c < 1e30; }

void logsumexp(int n, double fixed_shift, double fixed_sum, int terms, const double* coefficient,
               const double* const* x, double* LAWFIT_RESTRICT out, double* const* share,
               double* LAWFIT_RESTRICT fixed_share) {
    constexpr int most = 8;
    const double reference = fixed_share || terms == 0 ? fixed_shift : x[0][0];
    bool tame = terms >= 1 && terms <= most && abs_(reference) < 1e300 &&
                (!fixed_share || ordinary(fixed_sum));
    Exponential term[most];
    for (int k = 0; tame && k < terms; ++k) {
        tame = ordinary(coefficient[k]) && reach(n, x[k], reference) < tame_reach;
        term[k] = {coefficient[k], -reference, 1.0, x[k]};
    }
    if (tame)
        return log_sum(n, reference, fixed_share ? fixed_sum : 0.0, terms, term, nullptr, out,
                       share, fixed_share);

    // out holds the largest exponent until the logarithm is taken. Terms of weight zero have no say.
    int leading = 0;
    while (leading < terms && coefficient[leading] == 0.0) ++leading;
    const double* LAWFIT_RESTRICT first = leading < terms ? x[leading] : nullptr;
    if (fixed_sum != 0.0 && first) {
        ROWS out[i] = first[i] > fixed_shift ? first[i] : fixed_shift;
    } else if (first) {
        ROWS out[i] = first[i];
    } else {
        ROWS out[i] = fixed_shift;
    }
    for (int k = leading + 1; k < terms; ++k) {
        if (coefficient[k] == 0.0) continue;
        const double* LAWFIT_RESTRICT xk = x[k];
        ROWS out[i] = xk[i] > out[i] ? xk[i] : out[i];
    }
    // An infinite largest exponent would give inf - inf.
    ROWS out[i] = abs_(out[i]) == infinity_() ? 0.0 : out[i];

    for (int k = 0; k < terms; ++k) {
        const double* LAWFIT_RESTRICT xk = x[k];
        double* LAWFIT_RESTRICT sk = share[k];
        ROWS sk[i] = exp_(xk[i] - out[i]);
    }
    if (fixed_share) {
        ROWS fixed_share[i] = exp_(fixed_shift - out[i]);
    }
    constexpr int chunk = 64;
    double total[chunk];
    for (int start = 0; start < n; start += chunk) {
        const int rows = whole(n - start < chunk ? n - start : chunk);
        double* LAWFIT_RESTRICT o = out + start;
        if (fixed_share && fixed_sum != 0.0) {
            const double* LAWFIT_RESTRICT s = fixed_share + start;
            for (int i = 0; i < rows; ++i) total[i] = fixed_sum * s[i];
        } else {
            for (int i = 0; i < rows; ++i) total[i] = 0.0;
        }
        for (int k = 0; k < terms; ++k) {
            const double c = coefficient[k];
            if (c == 0.0) continue;
            const double* LAWFIT_RESTRICT s = share[k] + start;
            for (int i = 0; i < rows; ++i) total[i] += c * s[i];
        }
        for (int i = 0; i < rows; ++i) o[i] += log_(total[i]);
        for (int i = 0; i < rows; ++i) total[i] = 1.0 / total[i];
        for (int k = 0; k < terms; ++k) {
            double* LAWFIT_RESTRICT s = share[k] + start;
            for (int i = 0; i < rows; ++i) s[i] *= total[i];
        }
        if (fixed_share) {
            double* LAWFIT_RESTRICT s = fixed_share + start;
            for (int i = 0; i < rows; ++i) s[i] *= total[i];
        }
    }
}

void scale(int n, double c, const double* LAWFIT_RESTRICT a, double* LAWFIT_RESTRICT y, bool add) {
    if (add) {
        ROWS y[i] += c * a[i];
    } else {
        ROWS y[i] = c * a[i];
    }
}

void multiply(int n, double c, const double* LAWFIT_RESTRICT a, const double* LAWFIT_RESTRICT b,
              double* LAWFIT_RESTRICT y, bool add) {
    if (add) {
        ROWS y[i] += c * a[i] * b[i];
    } else if (c == 1.0) {
        for (int i = 0; i < n; i += row_multiple)
            for (int l = 0; l < row_multiple; ++l) y[i + l] = a[i + l] * b[i + l];
    } else {
        ROWS y[i] = c * a[i] * b[i];
    }
}

void scale_guarded(int n, double c, const double* LAWFIT_RESTRICT a, double* LAWFIT_RESTRICT y,
                   bool add) {
    ROWS {
        const double d = flow(c, a[i]);
        y[i] = add ? y[i] + d : d;
    }
}

void multiply_guarded(int n, double c, const double* LAWFIT_RESTRICT a,
                      const double* LAWFIT_RESTRICT b, double* LAWFIT_RESTRICT y, bool add) {
    ROWS {
        const double d = flow(flow(c, a[i]), b[i]);
        y[i] = add ? y[i] + d : d;
    }
}

// --- residuals -----------------------------------------------------------------------------------

void residuals(int n, const double* LAWFIT_RESTRICT value, const Residual* residual,
               double* LAWFIT_RESTRICT u) {
    const double* LAWFIT_RESTRICT target = residual->target;
    const double* LAWFIT_RESTRICT row_factor = residual->row_factor;
    const double factor = residual->factor;
    if (row_factor) {
        ROWS u[i] = (value[i] - target[i]) * factor * row_factor[i];
    } else {
        ROWS u[i] = (value[i] - target[i]) * factor;
    }
}

// --- reductions ------------------------------------------------------------------------------------

double sum_of(int n, const double* a) {
    Vector s0 = {}, s1 = {};
    int i = 0;
    for (; i + 2 * width <= n; i += 2 * width) {
        s0 += load(a + i);
        s1 += load(a + i + width);
    }
    for (; i < n; i += width) s0 += load(a + i);
    return sum(s0 + s1);
}

double dot(int n, const double* a, const double* b) {
    Vector s0 = {}, s1 = {};
    int i = 0;
    for (; i + 2 * width <= n; i += 2 * width) {
        s0 += load(a + i) * load(b + i);
        s1 += load(a + i + width) * load(b + i + width);
    }
    for (; i < n; i += width) s0 += load(a + i) * load(b + i);
    return sum(s0 + s1);
}

// Products of `rows` columns with `count` others and, in their last pass, among themselves and with the
// slope: all sums of a pass are in registers. Row r of the result begins at products[r].
template <int rows, int count, bool last>
void gram_pass(int n, const double* const* column, const double* const* others,
               const double* weight, double* const* products, const double* slope,
               double* gradient) {
    Vector s[rows][count + rows] = {}, g[rows] = {};
    for (int i = 0; i < n; i += width) {
        Vector a[rows], v[rows];
        for (int r = 0; r < rows; ++r) {
            a[r] = load(column[r] + i);
            v[r] = load(weight + i) * a[r];
        }
        for (int q = 0; q < count; ++q)
            for (int r = 0; r < rows; ++r) s[r][q] += v[r] * load(others[q] + i);
        if (!last) continue;
        for (int r = 0; r < rows; ++r) {
            for (int q = 0; q <= r; ++q) s[r][count + q] += v[r] * a[q];
            g[r] += load(slope + i) * a[r];
        }
    }
    for (int r = 0; r < rows; ++r) {
        for (int q = 0; q < (last ? count + r + 1 : count); ++q) products[r][q] += sum(s[r][q]);
        if (last && gradient) gradient[r] += sum(g[r]);
    }
}

void gram(int n, int columns, const double* const* jacobian, const double* weight, double* gram,
          const double* slope, double* gradient) {
    for (int p = 0; p < columns; p += 2) {
        const bool pair = p + 1 < columns;
        double* products[2] = {gram + p * (p + 1) / 2, gram + (p + 1) * (p + 2) / 2};
        const auto pass = [&](auto* run, int q) {
            run(n, jacobian + p, jacobian + q, weight, products, slope ? slope : weight,
                slope ? gradient + p : nullptr);
            products[0] += 4;
            products[1] += 4;
        };
        int q = 0;
        for (; q + 4 < p + pair; q += 4)
            pass(pair ? gram_pass<2, 4, false> : gram_pass<1, 4, false>, q);
        constexpr decltype(&gram_pass<1, 0, true>) passes[2][3] = {
            {gram_pass<1, 0, true>, gram_pass<1, 2, true>, gram_pass<1, 4, true>},
            {gram_pass<2, 0, true>, gram_pass<2, 2, true>, nullptr}};
        pass(passes[pair][(p - q) / 2], q);
    }
}

// --- grid search -----------------------------------------------------------------------------------

// Four registers at a time hide the latency of the comparisons.
template <bool masked>
int scan_vectors(int n, const double* feasible, double* values, double& least, int* counts) {
    constexpr int unroll = 4;
    const Vector zero = {}, one = zero + 1.0, bad = zero + nan_();
    Vector smallest[unroll], valid[unroll], allowed[unroll];
    for (int u = 0; u < unroll; ++u)
        smallest[u] = zero + infinity_(), valid[u] = zero, allowed[u] = zero;
    int i = 0;
    for (; i + unroll * width <= n; i += unroll * width) {
        for (int u = 0; u < unroll; ++u) {
            Vector v = load(values + i + u * width);
            if (masked) {
                const Vector f = load(feasible + i + u * width);
                v = f != 0.0 ? v : bad;
                allowed[u] += f != 0.0 ? one : zero;
                store(values + i + u * width, v);
            }
            valid[u] += v == v ? one : zero;
            smallest[u] = v < smallest[u] ? v : smallest[u];
        }
    }
    double total_valid = 0.0, total_allowed = 0.0;
    for (int u = 0; u < unroll; ++u) {
        total_valid += sum(valid[u]);
        total_allowed += sum(allowed[u]);
        for (int l = 0; l < width; ++l)
            least = lane(smallest[u], l) < least ? lane(smallest[u], l) : least;
    }
    counts[0] = masked ? static_cast<int>(total_allowed) : i;
    counts[1] = static_cast<int>(total_valid);
    return i;
}

double grid_scan(int n, const double* feasible, double* values, int* counts) {
    double least = infinity_();
    int i = feasible ? scan_vectors<true>(n, feasible, values, least, counts)
                     : scan_vectors<false>(n, feasible, values, least, counts);
    for (; i < n; ++i) {
        if (feasible && feasible[i] == 0.0) {
            values[i] = nan_();
            continue;
        }
        ++counts[0];
        counts[1] += values[i] == values[i];
        least = values[i] < least ? values[i] : least;
    }
    return least;
}

int grid_find(int n, const double* values, double wanted) {
    constexpr int chunk = 32;
    int i = 0;
    for (; i + chunk <= n; i += chunk) {
        int found = 0;
        for (int j = 0; j < chunk; ++j) found |= values[i + j] == wanted;
        if (found) break;
    }
    while (i < n - 1 && values[i] != wanted) ++i;
    return i;
}

void grid_improve(int n, const double* LAWFIT_RESTRICT values, std::int64_t base,
                  const std::int64_t* LAWFIT_RESTRICT offset, double* LAWFIT_RESTRICT best,
                  std::int64_t* LAWFIT_RESTRICT cell) {
    for (int i = 0; i < n; ++i) {
        const double v = values[i], b = best[i];
        const std::int64_t here = base + offset[i], there = cell[i];
        const bool better = (v < b) | ((v == b) & (here < there));
        best[i] = better ? v : b;
        cell[i] = better ? here : there;
    }
}

#define LAWFIT_FORWARD(name) unary_forward<name##_op>,
#define LAWFIT_REVERSE(name) unary_reverse<name##_op>,
#define LAWFIT_FORWARD2(name) binary_forward<name##_op>,
#define LAWFIT_REVERSE2(name) binary_reverse<name##_op>,
#define LAWFIT_SECOND(name) unary_second<name##_op>,
#define LAWFIT_SECOND2(name) binary_second<name##_op>,
#define LAWFIT_TEXT_(x) #x
#define LAWFIT_TEXT(x) LAWFIT_TEXT_(x)
#define LAWFIT_JOIN_(a, b) a##b
#define LAWFIT_JOIN(a, b) LAWFIT_JOIN_(a, b)

}  // namespace

extern const KernelTable LAWFIT_JOIN(table_, LAWFIT_BUILD);
constexpr KernelTable LAWFIT_JOIN(table_, LAWFIT_BUILD) = {
    LAWFIT_TEXT(LAWFIT_BUILD),
    {LAWFIT_UNARY_OPCODES(LAWFIT_FORWARD)},
    {LAWFIT_UNARY_OPCODES(LAWFIT_REVERSE)},
    {LAWFIT_BINARY_OPCODES(LAWFIT_FORWARD2)},
    {LAWFIT_BINARY_OPCODES(LAWFIT_REVERSE2)},
    {LAWFIT_UNARY_OPCODES(LAWFIT_SECOND)},
    {LAWFIT_BINARY_OPCODES(LAWFIT_SECOND2)},
    where_forward,
    where_reverse,
    affine,
    logsumexp,
    log_sum,
    scale,
    multiply,
    scale_guarded,
    multiply_guarded,
    residuals,
    loss_value,
    loss_slopes,
    sum_of,
    dot,
    gram,
    grid_scan,
    grid_find,
    grid_improve,
};

}  // namespace lawfit::kernels
