// exp, log and their relatives for one double, branch-free, so that compilers vectorise loops over them.
//
// Polynomials are minimax fits made for this file: exp on |r| <= ln2/2 (error 1.3e-17), log through
// s = f / (2 + f) on [sqrt(1/2), sqrt(2)] (error 1.6e-18), sin and cos on |r| <= pi/4 (errors 3.6e-18
// and 5e-20), arctan on |t| <= tan(pi/8) (error 1.3e-18).
#pragma once

#include "registers.hpp"

// Declared here, not included: <math.h> may bring inline code with it (see lawfit/kernels.hpp).
extern "C" double erf(double);
extern "C" double erfc(double);
extern "C" double sin(double);
extern "C" double cos(double);
#if defined(_MSC_VER)
extern "C" double sqrt(double);
#endif

namespace lawfit::kernels {
namespace {

constexpr double ln2_high = 0x1.62e42fee00000p-1;  // 21 trailing zero bits: k * ln2_high is exact
constexpr double ln2_low = 0x1.a39ef35793c76p-33;
constexpr double one_over_ln2 = 1.4426950408889634;
constexpr double round_magic = 0x1.8p52;  // adding it rounds to an integer held in the low bits
constexpr double tiny_normal = 0x1p-1022;

LAWFIT_INLINE double infinity_() { return from_bits(0x7ff0000000000000u); }
LAWFIT_INLINE double nan_() { return from_bits(0x7ff8000000000000u); }
template <class T>
LAWFIT_INLINE T abs_(T x) {
    return from_bits(bits_of(x) & 0x7fffffffffffffffu);
}
// For magnitude >= +0, or NaN.
template <class T>
LAWFIT_INLINE T with_sign_of(T x, T magnitude) {
    return from_bits(bits_of(magnitude) | (bits_of(x) & 0x8000000000000000u));
}
LAWFIT_INLINE double sqrt_(double x) {
#if defined(_MSC_VER)
    return sqrt(x);
#else
    return __builtin_sqrt(x);
#endif
}

// 2^k for an integer-valued k with |k| < 1000
LAWFIT_INLINE double power_of_two(double k) {
    return from_bits((bits_of(k + round_magic) + 1023u) << 52);
}

// exp(leading - trailing) on |leading - trailing| <= ln2 / 2. With the small part of the argument kept
// apart the result is within 1.1 units in the last place (1.09 on 1e8 points).
template <class T>
LAWFIT_INLINE T exp_reduced(T leading, T trailing) {
    const T r = leading - trailing;
    const T r2 = r * r;
    const T even = 0.5 + r2 * (0.04166666666662413 +
                               r2 * (0.0013888888917213717 +
                                     r2 * (2.4801521295954376e-05 + r2 * 2.7620088445409746e-07)));
    const T odd = 0.16666666666666669 +
                  r2 * (0.008333333333330062 +
                        r2 * (0.00019841269863053618 +
                              r2 * (2.7557268459997064e-06 + r2 * 2.510038549551032e-08)));
    const T q = even + r * odd;
    return 1.0 + (leading + (r2 * q - trailing));
}

LAWFIT_INLINE double exp_(double x) {
    x = x > 710.0 ? 710.0 : x;
    x = x < -746.0 ? -746.0 : x;
    const double k = (x * one_over_ln2 + round_magic) - round_magic;
    const double p = exp_reduced(x - k * ln2_high, k * ln2_low);
    // Two steps, so that results near the ends of the range neither overflow nor flush early.
    const double half = (k * 0.5 + round_magic) - round_magic;
    return (p * power_of_two(half)) * power_of_two(k - half);
}

// exp for |x| <= 700 only
template <class T>
LAWFIT_INLINE T exp_tame(T x) {
    const T shifted = x * one_over_ln2 + round_magic;
    const T k = shifted - round_magic;
    const T p = exp_reduced((x - k * ln2_high) - k * ln2_low, T{});
    return from_bits(bits_of(p) + (bits_of(shifted) << 52));
}

// (log(1 + f) - 2 s) / s^3 as a function of z = s^2, s = f / (2 + f)
template <class T>
LAWFIT_INLINE T log_tail(T z) {
    const T z2 = z * z;
    const T even = 0.666666666666667 +
                   z2 * (0.2857142862611452 + z2 * (0.1818289077802613 + z2 * 0.146171283998073));
    const T odd = 0.399999999998992 + z2 * (0.22222211112104948 + z2 * 0.15331666676597175);
    return even + z * odd;
}

// log(1 + f) + e log 2 with s = f / (2 + f)
LAWFIT_INLINE double log_series(double f, double s, double e) {
    const double z = s * s;
    const double half_square = 0.5 * f * f;
    return e * ln2_high + (f - (half_square - (s * (half_square + z * log_tail(z)) + e * ln2_low)));
}
// log of x = m * 2^e, m in [1, 2)
LAWFIT_INLINE double log_parts(double m, double e) {
    const bool upper = m > 1.4142135623730951;
    m = upper ? m * 0.5 : m;
    e = upper ? e + 1.0 : e;
    const double f = m - 1.0;
    return log_series(f, f / (2.0 + f), e);
}
LAWFIT_INLINE double mantissa(std::uint64_t u) {
    return from_bits((u & 0x000fffffffffffffu) | 0x3ff0000000000000u);
}
LAWFIT_INLINE double exponent(std::uint64_t u) {
    return from_bits(((u >> 52) & 0x7ffu) | 0x4330000000000000u) - (0x1p52 + 1023.0);
}

LAWFIT_INLINE double log_(double x) {
    const bool small = x < tiny_normal;
    const std::uint64_t u = bits_of(small ? x * 0x1p54 : x);
    double result = log_parts(mantissa(u), exponent(u) - (small ? 54.0 : 0.0));
    result = x == infinity_() ? x : result;
    result = x == 0.0 ? -infinity_() : result;
    return x >= 0.0 ? result : nan_();  // negative or NaN
}

LAWFIT_INLINE double log1p_(double x) {
    const double u = 1.0 + x;
    const double difference = u - 1.0;
    const double corrected = log_(u) * (x / difference);
    const double result = difference == 0.0 ? x : corrected;
    return u == infinity_() ? u : result;
}

LAWFIT_INLINE double expm1_(double x) {
    const double u = exp_(x);
    const double difference = u - 1.0;
    double result = difference * (x / log_(u));
    result = difference == 0.0 ? x : result;
    result = u == infinity_() ? u : result;
    return difference == -1.0 ? -1.0 : result;
}

LAWFIT_INLINE double sigmoid_(double x) {
    const double e = exp_(-abs_(x));
    return (x >= 0.0 ? 1.0 : e) / (1.0 + e);
}

LAWFIT_INLINE double softplus_(double x) { return (x > 0.0 ? x : 0.0) + log1p_(exp_(-abs_(x))); }

LAWFIT_INLINE double tanh_(double x) {
    const double t = expm1_(-2.0 * abs_(x));
    return with_sign_of(x, -t / (t + 2.0));
}

// log of the odds; from the odds minus one where these are exact, since it is zero at one half.
LAWFIT_INLINE double logit_(double x) {
    const double complement = 1.0 - x;
    return x < 0.25 ? log_(x / complement) : log1p_((2.0 * x - 1.0) / complement);
}

LAWFIT_INLINE double erf_(double x) { return erf(x); }
LAWFIT_INLINE double normcdf_(double x) { return 0.5 * erfc(x * -0.7071067811865476); }

// pi/2 in four parts. The first three have 33 bits: their products with an integer below 2^20 are exact.
constexpr double half_pi_1 = 0x1.921fb54400000p+0;
constexpr double half_pi_2 = 0x1.0b4611a600000p-34;
constexpr double half_pi_3 = 0x1.3198a2e000000p-69;
constexpr double half_pi_4 = 0x1.b839a252049c1p-104;
constexpr double angle_limit = 0x1p20;  // beyond, sin_ and cos_ lose digits; see far_sin

// The error of the rounded difference a - b (Knuth).
LAWFIT_INLINE double difference_error(double a, double b, double difference) {
    const double b_seen = a - difference;
    return (a - (difference + b_seen)) + (b_seen - b);
}

// sin(x + quarters * pi/2): x = k pi/2 + high + low, |high| <= pi/4, then the sine or the cosine of the
// remainder by the parity of k + quarters. high + low holds 106 bits or more, so that a double next
// to a multiple of pi keeps its digits.
LAWFIT_INLINE double sin_quarters(double x, std::uint64_t quarters) {
    const double shifted = x * 0.6366197723675814 + round_magic;
    const double k = shifted - round_magic;
    const std::uint64_t quadrant = bits_of(shifted) + quarters;
    const double first = x - k * half_pi_1;  // exact
    const double second = first - k * half_pi_2;
    const double third = second - k * half_pi_3;
    const double error = difference_error(first, k * half_pi_2, second) +
                         difference_error(second, k * half_pi_3, third);
    const double rest = error - k * half_pi_4;
    const double high = third + rest;
    const double low = (third - high) + rest;

    const double z = high * high;
    const double z2 = z * z;
    const double s = (-0.1666666666666663 + z * 0.008333333333322118) +
                     z2 * ((-0.00019841269829589718 + z * 2.7557313621424707e-06) +
                           z2 * (-2.5050747766825633e-08 + z * 1.5896230310076738e-10));
    const double c = (0.0416666666666666 + z * -0.001388888888887414) +
                     z2 * ((2.4801587289492294e-05 + z * -2.75573143553548e-07) +
                           z2 * (2.0875723697366373e-09 + z * -1.1359670434797138e-11));
    const double half = 0.5 * z;
    const double sine = high + (high * (z * s) + low * (1.0 - half));
    const double head = 1.0 - half;
    const double cosine = head + (((1.0 - head) - half) + (z2 * c - high * low));
    const std::uint64_t odd = std::uint64_t{0} - (quadrant & 1u);
    const std::uint64_t magnitude = (bits_of(cosine) & odd) | (bits_of(sine) & ~odd);
    return from_bits(magnitude ^ ((quadrant & 2u) << 62));
}
LAWFIT_INLINE double sin_(double x) {
    const double result = sin_quarters(x, 0);
    return x == 0.0 ? x : result;  // the sign of zero
}
LAWFIT_INLINE double cos_(double x) { return sin_quarters(x, 1); }

// The same for every double, by the C library beyond the limit: not for loops that should vectorise.
LAWFIT_INLINE double far_sin(double x) { return abs_(x) <= angle_limit ? sin_(x) : sin(x); }
LAWFIT_INLINE double far_cos(double x) { return abs_(x) <= angle_limit ? cos_(x) : cos(x); }

LAWFIT_INLINE double arctan_(double x) {
    const double a = abs_(x);
    const bool middle = a > 0.41421356237309503;  // tan(pi/8)
    const bool outer = a > 2.414213562373095;     // tan(3 pi/8)
    const double above = outer ? -1.0 : (middle ? a - 1.0 : a);
    const double below = outer ? a : (middle ? a + 1.0 : 1.0);
    const double t = above / below;
    const double base = outer ? 1.5707963267948966 : (middle ? 0.7853981633974483 : 0.0);
    const double base_low = base * 0x1.678afae35cdd1p-55;  // what pi/2 and pi/4 lack, relative
    const double z = t * t;
    const double z2 = z * z;
    const double z4 = z2 * z2;
    const double p =
        ((-0.333333333333332 + z * 0.19999999999953247) +
         z2 * (-0.14285714280166453 + z * 0.11111110782151559)) +
        z4 * (((-0.09090897725187538 + z * 0.07692059716687145) +
               z2 * (-0.06663099198273999 + z * 0.058478592473657956)) +
              z4 * ((-0.05039190350411392 + z * 0.03806213866694972) + z2 * -0.01790503864816054));
    return with_sign_of(x, base + (t + (t * (z * p) + base_low)));
}

LAWFIT_INLINE bool is_integer(double x) {
    const double a = abs_(x);
    return a >= 0x1p52 || (a + 0x1p52) - 0x1p52 == a;
}

// exp(b log a): the relative error grows as |b log a| units in the last place. A negative base needs
// an integer exponent, as in C's pow.
LAWFIT_INLINE double pow_(double a, double b) {
    const double magnitude = exp_(b * log_(abs_(a)));
    const double half = b * 0.5;
    const bool odd = is_integer(b) && !is_integer(half);
    double result = odd ? with_sign_of(a, magnitude) : magnitude;
    result = a < 0.0 && !is_integer(b) ? nan_() : result;
    result = a == 1.0 || (a == -1.0 && abs_(b) == infinity_()) ? 1.0 : result;
    return b == 0.0 ? 1.0 : result;
}

}  // namespace
}  // namespace lawfit::kernels
