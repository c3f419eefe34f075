// The share of a loss's density on one side of a point: what a censored row says under a fitted scale.
#pragma once

#include <cmath>

#include <lawfit/kernels.hpp>

namespace lawfit {

// exp(x^2) erfc(x) for x >= 0
inline double scaled_erfc(double x) {
    if (x < 25.0) return std::exp(x * x) * std::erfc(x);
    const double q = 1.0 / (x * x);  // asymptotic series: the next term is below 1e-12
    return 0.5641895835477563 / x * (1.0 - q * (0.5 - q * (0.75 - q * (1.875 - q * 6.5625))));
}

inline bool has_tail(const kernels::LossSpec& loss) {
    return loss.kind == kernels::LossKind::squared || loss.kind == kernels::LossKind::linear;
}

// For densities proportional to exp(-rho(u)), rho squared or linear.
class Tail {
public:
    struct Term {
        double value = 0.0, slope = 0.0, curvature = 0.0;
    };

    explicit Tail(const kernels::LossSpec& loss)
        : above_{loss.above, loss.core}, below_{loss.below, loss.core}, log_total_(0.0) {
        if (loss.kind == kernels::LossKind::squared) above_ = below_ = {1.0, INFINITY};
        log_total_ = std::log(std::exp(above_.log_mass(0.0)) + std::exp(below_.log_mass(0.0)));
    }

    // -log of the probability that a draw is at most u (side 1) or at least u (side -1), and its
    // first and second derivative in u.
    Term at(double u, double side) const {
        const Half& low = side > 0.0 ? below_ : above_;   // of the draws that the row allows
        const Half& high = side > 0.0 ? above_ : below_;  // of those that it rules out
        const double v = side * u;
        if (v > 0.0) {
            const double log_allowed = std::log1p(-std::exp(high.log_mass(v) - log_total_));
            const double hazard = std::exp(-high.value(v) - log_total_ - log_allowed);
            return term(-log_allowed, side, hazard, high.slope(v));
        }
        const double log_scaled = low.log_scaled_mass(-v);  // the density there cancels
        return term(low.value(-v) - log_scaled + log_total_, side, std::exp(-log_scaled),
                    -low.slope(-v));
    }

private:
    static Term term(double value, double side, double hazard, double rho_slope) {
        return {value, -side * hazard, std::fmax(0.0, hazard * (hazard + rho_slope))};
    }

    // One half of the loss, for a >= 0: straight with slope c beyond the core, square within.
    struct Half {
        double c, core;
        bool is_square() const { return std::isinf(core); }
        double value(double a) const {
            if (is_square()) return 0.5 * a * a;
            return a < core ? 0.5 * c * a * a / core : c * (a - 0.5 * core);
        }
        double slope(double a) const {
            if (is_square()) return a;
            return a < core ? c * a / core : c;
        }
        // log of the integral of exp(-value) from a on
        double log_mass(double a) const { return log_scaled_mass(a) - value(a); }
        // The same of exp(value(a) - value)
        double log_scaled_mass(double a) const {
            constexpr double half_pi = 1.5707963267948966;
            if (is_square()) return std::log(std::sqrt(half_pi) * scaled_erfc(a * std::sqrt(0.5)));
            if (a >= core) return -std::log(c);
            const double s = std::sqrt(0.5 * c / core);
            const double rest = std::exp(value(a) - value(core));  // the density at the core's edge
            const double inner =
                std::sqrt(half_pi * core / c) * (scaled_erfc(a * s) - scaled_erfc(core * s) * rest);
            return std::log(inner + rest / c);
        }
    };

    Half above_, below_;
    double log_total_;
};

}  // namespace lawfit
