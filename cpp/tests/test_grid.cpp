// The grid search beside plain loops, for one and several threads, and what it refuses.
#include <lawfit/search/grid.hpp>

#include <stdexcept>

#include "check.hpp"
#include "problems.hpp"

using namespace problems;

namespace {

std::vector<double> geometric(double low, double high, int n) {
    std::vector<double> values;
    for (int i = 0; i < n; ++i) values.push_back(low * std::pow(high / low, i / (n - 1.0)));
    return values;
}

// N D <= 1e11 P
Program::Parts limit_parts() {
    Program::Parts parts;
    parts.columns = {"P", "N", "D"};
    parts.constants = {1e11};
    parts.data_operations = {{Opcode::mul_, {1, 2}},         // id 3
                             {Opcode::affine_, {-1, 0, 0}},  // id 4
                             {Opcode::le_, {3, 4}}};         // id 5
    parts.output = 5;
    return parts;
}

const Program& objective() {
    static const Program program(chinchilla_parts());
    return program;
}
const Program& limit() {
    static const Program program(limit_parts());
    return program;
}

struct Axes {
    std::vector<double> N, P, D;  // more of D than the loops take at a time
    Axes()
        : N(geometric(1e7, 1e11, 66)), P(geometric(1e8, 1e10, 65)), D(geometric(1e9, 1e13, 2100)) {}
    GridProblem problem() const {
        GridProblem problem;
        problem.axes = {{"N", N.data(), 66}, {"P", P.data(), 65}, {"D", D.data(), 2100}};
        problem.objective = {&objective(), chinchilla_truth.data()};
        problem.constraints = {{&limit(), nullptr}};
        problem.top = 7;
        problem.along = {{0}, {1}, {2, 1}};
        return problem;
    }
};

void against_plain_loops() {
    const Axes axes;
    const std::vector<double>& t = chinchilla_truth;
    std::int64_t feasible = 0, best_cell = -1, cell = 0;
    double best = infinity;
    std::vector<double> by_n(66, infinity), by_p(65, infinity), by_dp(2100 * 65, infinity);
    for (std::size_t n = 0; n < 66; ++n) {
        for (std::size_t p = 0; p < 65; ++p) {
            for (std::size_t d = 0; d < 2100; ++d, ++cell) {
                if (!(axes.N[n] * axes.D[d] <= 1e11 * axes.P[p])) continue;
                ++feasible;
                const double value =
                    std::log(std::exp(t[0]) + std::exp(t[1] - t[3] * std::log(axes.N[n])) +
                             std::exp(t[2] - t[4] * std::log(axes.D[d])));
                if (value < best) best_cell = cell;
                best = std::min(best, value);
                by_n[n] = std::min(by_n[n], value);
                by_p[p] = std::min(by_p[p], value);
                by_dp[d * 65 + p] = std::min(by_dp[d * 65 + p], value);
            }
        }
    }
    const auto same = [](const GridTable& found, const std::vector<double>& expected) {
        bool all = found.value.size() == expected.size();
        for (std::size_t i = 0; all && i < expected.size(); ++i)
            all = expected[i] == infinity ? found.cell[i] == -1 && std::isnan(found.value[i])
                                          : std::fabs(found.value[i] - expected[i]) <= 1e-14;
        return all;
    };
    const GridSearch search(axes.problem());
    CHECK(search.cells() == 66 * 65 * 2100);
    CHECK(search.tasks() > 8);
    GridResult first;
    for (const int threads : {1, 2, 8}) {
        Monitor monitor;
        const GridResult found = search.run(threads, monitor);
        CHECK(found.cells == search.cells());
        CHECK(found.feasible == feasible);
        CHECK(found.undefined == 0);
        CHECK(!found.interrupted);
        CHECK(found.top.value.size() == 7);
        CHECK_CLOSE(found.top.value[0], best, 1e-14);
        CHECK(found.top.cell[0] == best_cell);
        CHECK(same(found.along[0], by_n));
        CHECK(same(found.along[1], by_p));
        CHECK(same(found.along[2], by_dp));
        if (threads == 1) first = found;
        CHECK(found.top.cell == first.top.cell);
        CHECK(found.top.value == first.top.value);
        for (std::size_t i = 0; i < 3; ++i) CHECK(found.along[i].cell == first.along[i].cell);
    }
}

void stops() {
    const Axes axes;
    const GridSearch search(axes.problem());
    Monitor monitor;
    monitor.stop();
    const GridResult found = search.run(2, monitor);
    CHECK(found.interrupted);
    CHECK(found.cells == 0);
    CHECK(found.top.value.empty());
    CHECK(found.along[1].cell == std::vector<std::int64_t>(65, -1));
}

void refuses() {
    const Axes axes;
    const auto refused = [](GridProblem problem) {
        try {
            GridSearch search(std::move(problem));
        } catch (const std::invalid_argument&) {
            return true;
        }
        return false;
    };
    CHECK(!refused(axes.problem()));
    GridProblem none = axes.problem(), other = none, empty = none, many = none;
    none.top = 0;
    CHECK(refused(none));
    other.axes[0].name = "M";
    CHECK(refused(other));
    empty.axes[1].size = 0;
    CHECK(refused(empty));
    for (GridAxis& axis : many.axes) axis.size = std::int64_t{1} << 21;
    CHECK(refused(many));
}

}  // namespace

void run_tests() {
    against_plain_loops();
    stops();
    refuses();
}
