// The losses of residuals: their sums, and slopes, bends and curvatures row by row.
#pragma once

#include <lawfit/kernels.hpp>

#include "vector_math.hpp"

namespace lawfit::kernels {
namespace {

// w rho(u), w rho'(u) and w rho'(u)^2 / (2 rho(u)) of T rows at a time: a register of them, or one in loops
// that compilers vectorise. Nothing bends where the weight is 0.
template <class T>
struct Slopes {
    T value, slope, bend;
};

struct SquaredLoss {
    using Rows = Vector;
    explicit SquaredLoss(const LossSpec&) {}
    Vector value(Vector u) const { return 0.5 * u * u; }
    Slopes<Vector> all(Vector u, Vector w) const { return {w * (0.5 * u * u), w * u, w}; }
    double curvature(double) const { return 1.0; }
};

struct LinearLoss {
    using Rows = Vector;
    Vector above, below, core, steepness;
    double inverse_core, largest_inside, inverse_above, inverse_below;
    explicit LinearLoss(const LossSpec& s)
        : above(Vector{} + s.above),
          below(Vector{} + s.below),
          core(Vector{} + s.core),
          steepness(Vector{} + (s.core > 0.0 ? 1.0 / s.core : 1.7e308)),
          inverse_core(s.core > 0.0 ? 1.0 / s.core : 0.0),
          largest_inside(s.core),
          inverse_above(s.above * inverse_core),
          inverse_below(s.below * inverse_core) {}
    // min(|u| / core, 1), and what it is multiplied with, apart from above or below.
    Vector inner_slope(Vector a) const { return least(a * steepness, Vector{} + 1.0); }
    Vector distance(Vector a) const { return a - 0.5 * least(a, core); }
    Vector value(Vector u) const {
        const Vector a = abs_(u);
        return (u > 0.0 ? above : below) * (inner_slope(a) * distance(a));
    }
    Slopes<Vector> all(Vector u, Vector w) const {
        const Vector a = abs_(u), c = w * (u > 0.0 ? above : below), slope = inner_slope(a);
        const Vector straight = 2.0 * most(a, core) - core;  // twice value / slope outside the core
        return {c * (slope * distance(a)), c * with_sign_of(u, slope),
                straight > 0.0 ? c / straight : Vector{}};
    }
    double curvature(double u) const {
        return abs_(u) <= largest_inside ? (u > 0.0 ? inverse_above : inverse_below) : 0.0;
    }
};

struct CauchyLoss {
    using Rows = double;
    double s, inverse;
    explicit CauchyLoss(const LossSpec& spec) : s(spec.core), inverse(1.0 / spec.core) {}
    double value(double u) const { return 0.5 * s * s * log1p_(u * inverse * (u * inverse)); }
    Slopes<double> all(double u, double w) const {
        const double t = u * inverse * (u * inverse);
        const double q = 1.0 / (1.0 + t);
        const double rho = log1p_(t);  // 2 rho / s^2
        return {w * (0.5 * s * s * rho), w * (u * q),
                w == 0.0 ? 0.0 : w * (t < 1e-12 ? 1.0 : t * q * q / rho)};
    }
    double curvature(double u) const {
        const double t = u * inverse * (u * inverse);
        const double q = 1.0 / (1.0 + t);
        return (1.0 - t) * q * q;
    }
};

struct LogCoshLoss {
    using Rows = double;
    double s, inverse;
    explicit LogCoshLoss(const LossSpec& spec) : s(spec.core), inverse(1.0 / spec.core) {}
    // log cosh t = log1p(2 sinh^2(t/2)) for small t, |t| - log 2 + log1p(exp(-2|t|)) for large
    double log_cosh(double t) const {
        const double a = abs_(t);
        const double e = expm1_(-a);
        const double near = log1p_(0.5 * e * e / (1.0 + e));
        const double far = a - 0.6931471805599453 + log1p_(exp_(-2.0 * a));
        return a < 1.0 ? near : far;
    }
    double value(double u) const { return s * s * log_cosh(u * inverse); }
    Slopes<double> all(double u, double w) const {
        const double t = u * inverse;
        const double th = tanh_(t);
        const double rho = log_cosh(t);  // rho / s^2
        return {w * (s * s * rho), w * (s * th),
                w == 0.0 ? 0.0 : w * (t * t < 1e-12 ? 1.0 : 0.5 * th * th / rho)};
    }
    double curvature(double u) const {
        const double th = tanh_(u * inverse);
        return (1.0 - th) * (1.0 + th);
    }
};

// Rows at one distance are summed together, so that the sums of single rows can be a register.
template <class Loss>
double loss_value_of(int n, const LossSpec& spec, const double* LAWFIT_RESTRICT u,
                     const double* LAWFIT_RESTRICT w) {
    using T = typename Loss::Rows;
    constexpr int rows = sizeof(T) / sizeof(double), count = row_multiple / rows;
    const Loss loss(spec);
    T total[count] = {};
    for (int start = 0; start < n; start += row_multiple)
        for (int l = 0; l < count; ++l) {
            const int i = start + l * rows;
            total[l] += load<T>(w + i) * loss.value(load<T>(u + i));
        }
    double s = 0.0;
    for (int l = 0; l < count; ++l) s += sum(total[l]);
    return s;
}

template <class Loss>
double loss_slopes_of(int n, const LossSpec& spec, const double* LAWFIT_RESTRICT u,
                      const double* LAWFIT_RESTRICT w, double* LAWFIT_RESTRICT slope,
                      double* LAWFIT_RESTRICT bend, double* LAWFIT_RESTRICT curvature) {
    using T = typename Loss::Rows;
    constexpr int rows = sizeof(T) / sizeof(double), chunk = 64;
    const Loss loss(spec);
    Vector total = {};
    for (int start = 0; bend && start < n; start += chunk) {
        const int end = start + whole(n - start < chunk ? n - start : chunk);
        double values[chunk];  // a sum of single rows would not be vectorised
        for (int i = start; i < end; i += rows) {
            const Slopes<T> s = loss.all(load<T>(u + i), load<T>(w + i));
            if constexpr (rows == width)
                total += s.value;
            else
                store(values + (i - start), s.value);
            store(slope + i, s.slope);
            store(bend + i, s.bend);
        }
        if constexpr (rows != width)
            for (int i = 0; i < end - start; i += width) total += load(values + i);
    }
    if (!bend && slope)
        for (int i = 0; i < whole(n); i += rows)
            store(slope + i, loss.all(load<T>(u + i), load<T>(w + i)).slope);
    for (int i = 0; curvature && i < whole(n); ++i) curvature[i] = w[i] * loss.curvature(u[i]);
    return sum(total);
}

double loss_value(int n, const LossSpec* loss, const double* u, const double* w) {
    switch (loss->kind) {
        case LossKind::squared: return loss_value_of<SquaredLoss>(n, *loss, u, w);
        case LossKind::linear: return loss_value_of<LinearLoss>(n, *loss, u, w);
        case LossKind::cauchy: return loss_value_of<CauchyLoss>(n, *loss, u, w);
        case LossKind::logcosh: return loss_value_of<LogCoshLoss>(n, *loss, u, w);
    }
    return nan_();
}

double loss_slopes(int n, const LossSpec* loss, const double* u, const double* w, double* slope,
                   double* bend, double* curvature) {
    switch (loss->kind) {
        case LossKind::squared:
            return loss_slopes_of<SquaredLoss>(n, *loss, u, w, slope, bend, curvature);
        case LossKind::linear:
            return loss_slopes_of<LinearLoss>(n, *loss, u, w, slope, bend, curvature);
        case LossKind::cauchy:
            return loss_slopes_of<CauchyLoss>(n, *loss, u, w, slope, bend, curvature);
        case LossKind::logcosh:
            return loss_slopes_of<LogCoshLoss>(n, *loss, u, w, slope, bend, curvature);
    }
    return nan_();
}

}  // namespace
}  // namespace lawfit::kernels
