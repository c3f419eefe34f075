// Levels are those of least squared relative error, whatever the weights, or a small share.
#include <lawfit/search/levels.hpp>
#include <lawfit/search/multistart.hpp>

#include "check.hpp"
#include "problems.hpp"

using namespace problems;

namespace {

struct Case {
    Table table;
    std::vector<double> weight;
    Objective objective;

    explicit Case(bool weighted, double upper = infinity, int rows = 30,
                  const Parameterisation& parameters = all_free(5))
        : table(chinchilla_table(rows, 0.01)),
          weight(weights(weighted, rows)),
          objective(make(upper, parameters)) {}

    static std::vector<double> weights(bool weighted, int rows) {
        std::vector<double> w(static_cast<std::size_t>(rows), 1.0);
        Philox random(3, 0);
        for (double& x : w)
            if (weighted) x = uniform(random) < 0.2 ? 0.0 : uniform(random);
        return w;
    }
    Objective make(double upper, const Parameterisation& parameters = all_free(5)) const {
        Objective::Data data;
        data.columns = table.columns();
        data.target = table.target.data();
        data.weight = weight.data();
        data.rows = table.rows();
        Objective::Bounds bounds = no_bounds(parameters.free_count);
        bounds.upper[0] = upper;
        return Objective(Program(chinchilla_parts()), data, {huber(1e-3), false, 0.0}, parameters,
                         bounds);
    }

    // A ridge of 1e-9 on terms that together are about the target, for each of three levels.
    double slack() const {
        double total = 0.0;
        for (const double w : weight) total += w;
        return 3e-9 * total;
    }

    // Half the sum that levels minimise, with the coefficients multiplied by c. x: E, A, B, alpha, beta
    double misfit(const Vector& x, const Vector& c) const {
        double total = 0.0;
        for (std::size_t i = 0; i < weight.size(); ++i) {
            const double sum = c[0] * std::exp(x[0]) +
                               c[1] * std::exp(x[1] - x[3] * std::log(table.N[i])) +
                               c[2] * std::exp(x[2] - x[4] * std::log(table.D[i]));
            const double error = sum / std::exp(table.target[i]) - 1.0;
            total += 0.5 * weight[i] * error * error;
        }
        return total;
    }
};

// No other coefficients have a smaller misfit, over one block of rows and over several.
void least_misfit() {
    int inner = 0;
    for (const bool weighted : {false, true}) {
        const Case c(weighted, infinity, weighted ? 600 : 30);
        Levels levels(c.objective);
        CHECK(levels.exist());
        Philox random(7, 0);
        for (int trial = 0; trial < 200; ++trial) {
            Vector x(5), start;
            x << 4.0 * uniform(random) - 2.0, 20.0 * uniform(random), 20.0 * uniform(random),
                0.05 + uniform(random), 0.05 + uniform(random);
            start = x;
            const double least = levels.choose(x);
            CHECK(x.tail(2) == start.tail(2));
            const Vector ones = Vector::Ones(5);
            const double here = c.misfit(x, ones);
            CHECK(here >= least - c.slack());
            if (here > least + c.slack()) continue;  // a share of 1 % was kept
            ++inner;
            for (int l = 0; l < 3; ++l)
                for (const double factor : {0.0, 0.5, 0.99, 1.01, 2.0}) {
                    Vector other = ones;
                    other[l] = factor;
                    CHECK(c.misfit(x, other) >= here - c.slack());
                }
        }
    }
    CHECK(inner > 50);
}

void exponents_of_the_truth_give_its_levels() {
    Case c(false);
    for (int i = 0; i < c.table.rows(); ++i) {
        const auto k = static_cast<std::size_t>(i);
        const std::vector<double>& t = chinchilla_truth;
        c.table.target[k] =
            std::log(std::exp(t[0]) + std::exp(t[1] - t[3] * std::log(c.table.N[k])) +
                     std::exp(t[2] - t[4] * std::log(c.table.D[k])));
    }
    const Objective objective = c.make(infinity);
    Levels levels(objective);
    Vector x(5);
    x << 3.0, 0.0, 1.0, chinchilla_truth[3], chinchilla_truth[4];
    CHECK(levels.choose(x) < c.slack());
    for (int l = 0; l < 3; ++l)
        CHECK_CLOSE(x[l], chinchilla_truth[static_cast<std::size_t>(l)], 1e-5);
}

// A term that is fixed, or whose level is also another's, is left as it is and counts as it is.
void held_terms() {
    Parameterisation fixed = all_free(5), shared = all_free(5);
    fixed.source = {-1, 0, 1, 2, 3};
    fixed.value = {0.5, 0.0, 0.0, 0.0, 0.0};
    fixed.free_count = 4;
    shared.source = {0, 1, 1, 2, 3};
    shared.free_count = 4;
    for (const Parameterisation& parameters : {fixed, shared}) {
        const bool is_fixed = parameters.source[0] < 0;
        const Case c(false, infinity, 30, parameters);
        Levels levels(c.objective);
        CHECK(levels.exist());
        Philox random(9, 0);
        int inner = 0;
        for (int trial = 0; trial < 100; ++trial) {
            Vector x(4), all(5);
            x << 6.0 * uniform(random) - 2.0, 10.0 * uniform(random), 0.2 + 0.4 * uniform(random),
                0.2 + 0.4 * uniform(random);
            const Vector start = x;
            const double least = levels.choose(x);
            CHECK(x.tail(is_fixed ? 2 : 3) == start.tail(is_fixed ? 2 : 3));
            parameters.find(x, 0, 5, all.data());
            const double here = c.misfit(all, Vector::Ones(5));
            CHECK(here >= least - c.slack());
            if (here > least + c.slack()) continue;
            ++inner;
            for (int l = is_fixed ? 1 : 0; l < (is_fixed ? 3 : 1); ++l)
                for (const double factor : {0.99, 1.01}) {
                    Vector other = Vector::Ones(5);
                    other[l] = factor;
                    CHECK(c.misfit(all, other) >= here - c.slack());
                }
        }
        CHECK(inner > 20);
    }
}

void limits() {
    const Case bounded(false, 0.1);
    Levels levels(bounded.objective);
    Vector x = chinchilla_start(5);
    levels.choose(x);
    CHECK(x[0] <= 0.1);

    // Exponentials beyond the doubles: nothing to go by.
    Vector far = chinchilla_start(5), before;
    far[1] = 5000.0;
    far[3] = 0.0;
    before = far;
    const double least = levels.choose(far);
    CHECK(least == infinity || far.allFinite());
    if (least == infinity) CHECK(far == before);

    // A fitted scale stays; a sum that is not of this kind has no levels.
    const Objective scaled = chinchilla_objective(chinchilla_table(30, 0.01), {}, true);
    Vector with_scale = chinchilla_start(6);
    with_scale[5] = -4.0;
    Levels(scaled).choose(with_scale);
    CHECK(with_scale[5] == -4.0);
    const Objective other = rosenbrock_objective();
    CHECK(!Levels(other).exist());
}

// Points move to their levels where F falls, also from where it is infinite, and else stay.
void chosen_where_lower() {
    const Case c(true, 0.01);
    Philox random(11, 0);
    const long count = 40;
    std::vector<double> points;
    for (long i = 0; i < count; ++i)
        for (int k = 0; k < 5; ++k)
            points.push_back(k < 3 ? 12.0 * uniform(random) - 1.0 : 0.05 + uniform(random));
    points[1] = 800.0;
    std::vector<double> moved = points, levels = points;
    Monitor monitor;
    choose_levels(c.objective, moved.data(), count, 2, monitor);
    screen(c.objective, levels.data(), count, 1, monitor);
    for (std::size_t i = 0; i < levels.size(); ++i)
        if (levels[i] != points[i])
            levels[i] =
                std::min(std::round(1024.0 * levels[i]) / 1024.0, i % 5 == 0 ? 0.01 : infinity);
    const std::vector<double> before = values_at(c.objective, points.data(), count, 1, monitor);
    const std::vector<double> after = values_at(c.objective, levels.data(), count, 1, monitor);
    int lower = 0;
    for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i) {
        const bool is_lower = after[i] < before[i];
        lower += is_lower;
        const std::vector<double>& expected = is_lower ? levels : points;
        CHECK(std::equal(moved.begin() + 5 * static_cast<long>(i),
                         moved.begin() + 5 * static_cast<long>(i + 1),
                         expected.begin() + 5 * static_cast<long>(i)));
    }
    CHECK(lower > 30);
}

}  // namespace

void run_tests() {
    least_misfit();
    held_terms();
    exponents_of_the_truth_give_its_levels();
    limits();
    chosen_where_lower();
}
