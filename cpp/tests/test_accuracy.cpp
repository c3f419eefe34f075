// How far the functions of the kernels are from the truth, for every instruction set that runs here, and from
// one another: the points per function are in LAWFIT_POINTS. The truth is the C library's long double.
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <vector>

#include <lawfit/kernels.hpp>

#include "check.hpp"

using namespace lawfit;
using kernels::KernelTable;
using Long = long double;

namespace {

constexpr int block = 256;

// Numbers of a fixed sequence (splitmix64).
class Numbers {
public:
    std::uint64_t bits() {
        std::uint64_t z = (state_ += 0x9e3779b97f4a7c15u);
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
        return z ^ (z >> 31);
    }
    double between(double low, double high) {
        return low + (high - low) * (static_cast<double>(bits() >> 11) * 0x1p-53);
    }
    // Any finite double of a magnitude from `low` to `high`: all exponents are as likely.
    double magnitude(double low, double high) {
        for (;;) {
            const std::uint64_t u = bits() & 0x7fffffffffffffffu;
            double x;
            std::memcpy(&x, &u, sizeof x);
            if (x >= low && x <= high) return x;
        }
    }

private:
    std::uint64_t state_ = 2024;
};

struct Function {
    const char* name;
    Opcode code;
    double low, high;          // half of the points are drawn evenly from here,
    double smallest, largest;  // the others from all doubles of these magnitudes
    bool negative;             // of both signs
    double ulps;               // allowed distance from the truth,
    double ulps_square;        // and so much more per x^2
    double between;            // allowed distance between two instruction sets
    Long (*truth)(Long);
};

Long sigmoid(Long x) {
    const Long e = std::exp(-std::fabs(x));
    return (x >= 0 ? 1 : e) / (1 + e);
}
Long softplus(Long x) { return std::fmax(x, Long(0)) + std::log1p(std::exp(-std::fabs(x))); }
Long logit(Long x) { return x < 0.25L ? std::log(x / (1 - x)) : std::log1p((2 * x - 1) / (1 - x)); }
Long normcdf(Long x) { return std::erfc(-x * 0.70710678118654752440084436210485L) / 2; }

constexpr double largest = std::numeric_limits<double>::max();
constexpr double least = std::numeric_limits<double>::denorm_min();

const Function functions[] = {
    {"exp", Opcode::exp_, -745.2, 709.8, least, 709.7, true, 1.2, 0, 2,
     [](Long x) { return std::exp(x); }},
    {"log", Opcode::log_, 0.25, 4.0, least, largest, false, 1.0, 0, 2,
     [](Long x) { return std::log(x); }},
    {"log1p", Opcode::log1p_, -0.999, 3.0, least, 0.999, true, 2.5, 0, 3,
     [](Long x) { return std::log1p(x); }},
    {"expm1", Opcode::expm1_, -40.0, 709.7, least, 709.7, true, 2.5, 0, 3,
     [](Long x) { return std::expm1(x); }},
    {"sqrt", Opcode::sqrt_, 0.0, 4.0, least, largest, false, 0.5001, 0, 0,
     [](Long x) { return std::sqrt(x); }},
    {"sigmoid", Opcode::sigmoid_, -745.0, 40.0, least, 745.0, true, 2.5, 0, 3, sigmoid},
    {"softplus", Opcode::softplus_, -745.0, 40.0, least, 745.0, true, 3.0, 0, 4, softplus},
    {"logit", Opcode::logit_, 1e-9, 1.0, least, 0.999, false, 4.0, 0, 4, logit},
    {"tanh", Opcode::tanh_, -22.0, 22.0, least, largest, true, 4.5, 0, 6,
     [](Long x) { return std::tanh(x); }},
    {"erf", Opcode::erf_, -6.0, 6.0, least, largest, true, 2.0, 0, 0,
     [](Long x) { return std::erf(x); }},
    {"normcdf", Opcode::normcdf_, -38.0, 9.0, least, 38.0, true, 4.0, 1.7, 0, normcdf},
#if !defined(__MINGW32__)  // whose C library is off by 20,000 ulps at 5e5
    {"sin", Opcode::sin_, -0x1p20, 0x1p20, least, largest, true, 1.0, 0, 1,
     [](Long x) { return std::sin(x); }},
    {"cos", Opcode::cos_, -0x1p20, 0x1p20, least, largest, true, 1.0, 0, 1,
     [](Long x) { return std::cos(x); }},
#endif
    {"arctan", Opcode::arctan_, -4.0, 4.0, least, largest, true, 2.0, 0, 2,
     [](Long x) { return std::atan(x); }},
};

// The distance from |x| to the next double beyond it.
double unit(double x) {
    std::uint64_t u;
    std::memcpy(&u, &x, sizeof u);
    const std::uint64_t exponent = (u >> 52) & 0x7ffu;
    u = exponent > 52 ? (exponent - 52) << 52 : std::uint64_t{1} << (exponent ? exponent - 1 : 0);
    std::memcpy(&x, &u, sizeof x);
    return x;
}

// In units of the last place of the truth; nothing where both overflow.
double distance(double computed, Long truth) {
    const double nearest = static_cast<double>(truth);
    if (computed == nearest || (computed != computed && nearest != nearest))
        return std::isfinite(nearest)
                   ? static_cast<double>(std::fabs(Long(computed) - truth) / unit(nearest))
                   : 0.0;
    if (!std::isfinite(nearest) || !std::isfinite(computed))
        // The largest double and infinity are neighbours.
        return std::fabs(nearest) >= largest && std::fabs(computed) >= largest &&
                       (nearest > 0) == (computed > 0)
                   ? 1.0
                   : INFINITY;
    return static_cast<double>(std::fabs(Long(computed) - truth) / unit(nearest));
}

struct Worst {
    double ulps = 0.0, share = 0.0, at = 0.0, other = 0.0;  // share: of what is allowed
    void see(double distance, double allowed, double a, double b) {
        if (distance > 0.0 && !(distance <= allowed * share))
            share = distance / allowed, at = a, other = b;
        if (!(distance <= ulps)) ulps = distance;
    }
};

// draw gives two operands, allowed(a, b) the limit against the truth and close(a, b) the one between
// two instruction sets.
template <class Draw, class Compute, class Truth, class Allowed, class Close>
void examine(const char* name, long points, Draw draw, Compute compute, Truth truth,
             Allowed allowed, Close close) {
    std::vector<const KernelTable*> builds;
    for (int k = 0; kernels::available_builds[k]; ++k)
        if (kernels::runs_here(*kernels::available_builds[k]))
            builds.push_back(kernels::available_builds[k]);
    std::vector<Worst> worst(builds.size()), apart(builds.size());
    alignas(64) double a[block], b[block], out[block], first[block];
    Long exact[block];
    Numbers numbers;
    for (long done = 0; done < points; done += block) {
        for (int i = 0; i < block; ++i) draw(numbers, a[i], b[i]);
        for (int i = 0; i < block; ++i) exact[i] = truth(a[i], b[i]);
        for (std::size_t k = 0; k < builds.size(); ++k) {
            compute(*builds[k], a, b, out);
            if (k == 0) std::memcpy(first, out, sizeof out);
            for (int i = 0; i < block; ++i) {
                worst[k].see(distance(out[i], exact[i]), allowed(a[i], b[i]), a[i], b[i]);
                apart[k].see(distance(out[i], Long(first[i])), close(a[i], b[i]), a[i], b[i]);
            }
        }
    }
    for (std::size_t k = 0; k < builds.size(); ++k) {
        std::printf("%-8s %-8s from the truth %8.3f ulp, %.3f of the limit at %a %a", name,
                    builds[k]->name, worst[k].ulps, worst[k].share, worst[k].at, worst[k].other);
        std::printf("; from the baseline %g, %.3f of the limit at %a %a\n", apart[k].ulps,
                    apart[k].share, apart[k].at, apart[k].other);
        std::fflush(stdout);
        CHECK(worst[k].share <= 1.0);
        CHECK(apart[k].share <= 1.0);
    }
}

void one_operand(const Function& f, long points) {
    bool even = false;
    examine(
        f.name, points,
        [&](Numbers& numbers, double& a, double& b) {
            even = !even;
            b = 0.0;
            a = even ? numbers.between(f.low, f.high) : numbers.magnitude(f.smallest, f.largest);
            if (!even && f.negative && (numbers.bits() & 1)) a = -a;
        },
        [&](const KernelTable& table, const double* a, const double*, double* out) {
            table.unary_forward[static_cast<int>(f.code)](block, a, out);
        },
        [&](double a, double) { return f.truth(a); },
        [&](double a, double) { return f.ulps + f.ulps_square * a * a; },
        [&](double, double) { return f.between; });
}

double exponent_of(double a, double b) { return std::fabs(b * std::log(a)); }

}  // namespace

void run_tests() {
    if (std::numeric_limits<Long>::digits < 64) {
        std::puts("no long double beyond double here: nothing to compare with");
        return;
    }
    const char* wanted = std::getenv("LAWFIT_POINTS");
    const long points = wanted ? std::atol(wanted) : 50000;
    for (const Function& f : functions) one_operand(f, points);
    examine(
        "pow", points,
        [](Numbers& numbers, double& a, double& b) {
            a = std::exp(numbers.between(-50.0, 50.0));
            b = numbers.between(-14.0, 14.0);
        },
        [](const KernelTable& table, const double* a, const double* b, double* out) {
            table.binary_forward[static_cast<int>(Opcode::pow_) - unary_count](block, a, b, out);
        },
        [](double a, double b) { return std::pow(Long(a), Long(b)); },
        [](double a, double b) { return 2.0 + 2.0 * exponent_of(a, b); },
        [](double a, double b) { return 4.0 + 4.0 * exponent_of(a, b); });
}
