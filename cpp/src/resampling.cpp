#include <lawfit/search/resampling.hpp>

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <string>

#include <lawfit/random.hpp>

#include "index.hpp"

namespace lawfit {
namespace {

using kernels::LossKind;
using kernels::LossSpec;

constexpr double pi = 3.14159265358979323846;

std::uint32_t below(Philox& random, int n) { return random.below(static_cast<std::uint32_t>(n)); }

// Box and Muller, one of the pair.
double normal(Philox& random) {
    const double radius = std::sqrt(-2.0 * std::log(random.uniform()));
    return radius * std::cos(2.0 * pi * random.uniform());
}

double exponential(Philox& random) { return -std::log(random.uniform()); }

// The logarithm of a gamma variate (Marsaglia and Tsang, 2000), finite however small the shape.
double log_gamma(Philox& random, double shape) {
    double boost = 0.0;
    if (shape < 1.0) {
        boost = std::log(random.uniform()) / shape;
        shape += 1.0;
    }
    const double d = shape - 1.0 / 3.0, c = 1.0 / std::sqrt(9.0 * d);
    for (;;) {
        const double x = normal(random);
        const double v = std::pow(std::max(1.0 + c * x, 0.0), 3);
        const double u = random.uniform();
        if (v > 0.0 && std::log(u) < 0.5 * x * x + d * (1.0 - v + std::log(v)))
            return boost + std::log(d * v);
    }
}

// rho rises with slope `slope`, quadratic up to `core`: what its half line weighs, inside and beyond.
struct Half {
    double slope, core, inside, beyond;
};

Half half(double slope, double core) {
    if (core <= 0.0) return {slope, 0.0, 0.0, 1.0 / slope};
    const double c = slope / core;
    return {slope, core, std::sqrt(pi / (2.0 * c)) * std::erf(core * std::sqrt(0.5 * c)),
            std::exp(-0.5 * c * core * core) / slope};
}

// Size of a variate on one half line.
double draw_half(Philox& random, const Half& h) {
    if (random.uniform() * (h.inside + h.beyond) >= h.inside)
        return h.core + exponential(random) / h.slope;
    const double c = h.slope / h.core;
    const bool is_narrow = c * h.core * h.core < 1.0;  // then nearly flat
    for (;;) {
        if (is_narrow) {
            const double x = h.core * random.uniform();
            if (random.uniform() < std::exp(-0.5 * c * x * x)) return x;
        } else {
            const double x = std::fabs(normal(random)) / std::sqrt(c);
            if (x <= h.core) return x;
        }
    }
}

// Residuals with density exp(-rho) / Z.
class Noise {
public:
    explicit Noise(const LossSpec& loss)
        : loss_(loss), above_(half(loss.above, loss.core)), below_(half(loss.below, loss.core)) {}

    double draw(Philox& random) const {
        const double s = loss_.core;
        switch (loss_.kind) {
            case LossKind::squared: return normal(random);
            case LossKind::
                cauchy: {  // Student's distribution with s^2 - 1 degrees of freedom, scaled
                const double z = normal(random);
                const double log_g = log_gamma(random, 0.5 * (s * s - 1.0));
                return s * z * std::exp(-0.5 * log_g) / std::sqrt(2.0);
            }
            case LossKind::logcosh: {
                const double a = log_gamma(random, 0.5 * s * s);
                return 0.5 * s * (a - log_gamma(random, 0.5 * s * s));
            }
            case LossKind::linear: break;
        }
        const double up = above_.inside + above_.beyond, down = below_.inside + below_.beyond;
        return random.uniform() * (up + down) < up ? draw_half(random, above_)
                                                   : -draw_half(random, below_);
    }

private:
    LossSpec loss_;
    Half above_, below_;
};

double multiplier(Philox& random, bool webb) {
    const std::uint32_t k = random.below(webb ? 6 : 2);
    const double sign = k % 2 == 0 ? -1.0 : 1.0;
    return webb ? sign * std::sqrt(0.5 * (k / 2 + 1)) : sign;
}

}  // namespace

void Resampling::check() const {
    const auto require = [](bool condition, const char* message) {
        if (!condition) throw std::invalid_argument(message);
    };
    require(!unit.empty(), "resampling: no rows");
    require(strata.size() >= 2 && strata.front() == 0, "resampling: no strata");
    for (std::size_t s = 1; s < strata.size(); ++s)
        require(strata[s] > strata[s - 1], "resampling: a stratum is empty");
    for (const int u : unit)
        require(u >= 0 && u < units(), "resampling: a row's unit does not exist");
    require(length >= 1, "resampling: a block needs one unit at least");
}

void Resampling::weigh(std::uint64_t seed, long draw, double* out) const {
    if (kind == Kind::deletion && !(draw >= 0 && draw < units()))
        throw std::invalid_argument("resampling: there is no unit " + std::to_string(draw) +
                                    " to leave out, of " + std::to_string(units()));
    Philox random(seed, static_cast<std::uint64_t>(draw));
    std::fill_n(out, units(), kind == Kind::deletion ? 1.0 : 0.0);
    if (kind == Kind::deletion) {
        out[draw] = 0.0;
        return;
    }
    if (kind == Kind::dirichlet) {
        double total = 0.0;
        for (int u = 0; u < units(); ++u) total += out[u] = exponential(random);
        for (int u = 0; u < units(); ++u) out[u] *= units() / total;
        return;
    }
    for (std::size_t s = 0; s + 1 < strata.size(); ++s) {
        const int n = strata[s + 1] - strata[s];
        const int run = kind == Kind::blocks ? std::min(length, n) : 1;
        double* stratum = out + strata[s];
        for (int filled = 0; filled < n;) {
            const std::uint32_t first = below(random, n - run + 1);
            for (int k = 0; k < run && filled < n; ++k, ++filled) stratum[first + index(k)] += 1.0;
        }
    }
}

void Resampling::renew(std::uint64_t seed, long draw, const double* given, const double* weight,
                       double* out) const {
    Philox random(seed, static_cast<std::uint64_t>(draw));
    if (kind == Kind::density) {
        const Noise noise(density);
        for (int i = 0; i < rows(); ++i) out[i] = spread * noise.draw(random);
    } else if (kind == Kind::multipliers) {
        std::vector<double> factor(index(units()));
        for (double& f : factor) f = multiplier(random, webb);
        for (int i = 0; i < rows(); ++i) out[i] = factor[index(unit[index(i)])] * given[i];
    } else {
        std::vector<int> pool;
        for (int i = 0; i < rows(); ++i)
            if (!weight || weight[i] > 0.0) pool.push_back(i);
        for (int i = 0; i < rows(); ++i)
            out[i] = given[pool[below(random, static_cast<int>(pool.size()))]];
    }
}

}  // namespace lawfit
