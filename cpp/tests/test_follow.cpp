// Following optima: closed forms, any number of threads, limits that stop to bind, wrong problems.
#include <cmath>
#include <stdexcept>
#include <vector>

#include <lawfit/search/follow.hpp>

#include "check.hpp"

using namespace lawfit;

namespace {

// log loss terms: exp(a - alpha (x + s)) + exp(b - beta (y + t)), to be minimised over x and y.
Program::Parts loss_parts() {
    Program::Parts parts;
    parts.columns = {"x", "y", "a", "b", "alpha", "beta"};            // ids 0 .. 5
    parts.parameters = {"x", "y"};                                    // slots 0, 1
    parts.constants = {-1.0};                                         // slot 2
    parts.row_operations = {{Opcode::affine_, {0, -1, 0}},            // id 6: x + s
                            {Opcode::mul_, {6, 4}},                   // id 7
                            {Opcode::affine_, {-1, -1, 2, 2, 7}},     // id 8: a - alpha x
                            {Opcode::exp_, {8}},                      // id 9
                            {Opcode::affine_, {1, -1, 1}},            // id 10: y + t
                            {Opcode::mul_, {10, 5}},                  // id 11
                            {Opcode::affine_, {-1, -1, 3, 2, 11}},    // id 12: b - beta y
                            {Opcode::exp_, {12}},                     // id 13
                            {Opcode::affine_, {-1, -1, 9, -1, 13}}};  // id 14
    parts.output = 14;
    return parts;
}

// x + s + y + t - budget <= 0
Program::Parts cost_parts() {
    Program::Parts parts;
    parts.columns = {"x", "y", "budget"};  // ids 0 .. 2
    parts.parameters = {"x", "y"};
    parts.constants = {-1.0};                                            // slot 2
    parts.uniform_operations = {{Opcode::affine_, {-1, -1, 0, -1, 1}}};  // slot 3: s + t
    parts.row_operations = {{Opcode::affine_, {3, -1, 0, -1, 1, 2, 2}}};
    parts.output = 3;
    return parts;
}

struct Table {
    static constexpr long draws = 700;
    std::vector<double> a, b, alpha, beta, budget{20.0, 25.0}, start;
    Table() {
        for (int i = 0; i < draws; ++i) {
            a.push_back(6.0 + 0.05 * std::sin(1.7 * i));
            b.push_back(7.5 + 0.05 * std::sin(2.9 * i));
            alpha.push_back(0.34 * (1.0 + 0.03 * std::sin(0.7 * i)));
            beta.push_back(0.36 * (1.0 + 0.03 * std::cos(1.1 * i)));
        }
        for (const double c : budget) start.push_back(best(6.0, 7.5, 0.34, 0.36, c));
        for (const double c : budget) start.push_back(c - best(6.0, 7.5, 0.34, 0.36, c));
    }
    // alpha exp(a - alpha x) = beta exp(b - beta y), x + y = budget
    static double best(double a, double b, double alpha, double beta, double budget) {
        return (std::log(alpha / beta) + a - b + beta * budget) / (alpha + beta);
    }
    FollowProblem problem(const Program& loss, const Program& cost) const {
        FollowProblem p;
        p.planned = {"x", "y"};
        p.functions = {&loss, &cost};
        p.by_draw = {
            {"a", a.data()}, {"b", b.data()}, {"alpha", alpha.data()}, {"beta", beta.data()}};
        p.by_start = {{"budget", budget.data()}};
        p.draws = draws;
        p.starts = 2;
        p.start = start.data();
        p.low = {-50.0, -50.0};
        p.high = {50.0, 50.0};
        p.inside = {1, 1};
        p.binding = {1};
        p.group = {0, 1};
        p.groups = 2;
        return p;
    }
};

bool refused(const FollowProblem& problem) {
    try {
        const Follow follow(problem);
        return follow.tasks() < 0;
    } catch (const std::invalid_argument&) {
        return true;
    }
}

}  // namespace

void run_tests() {
    const Program loss(loss_parts()), cost(cost_parts());
    const Table table;
    const FollowProblem problem = table.problem(loss, cost);
    Monitor monitor;
    const FollowResult one = Follow(problem).run(1, monitor);
    CHECK(one.unsettled.empty());
    for (std::size_t i = 0; i < Table::draws; ++i)
        for (std::size_t k = 0; k < 2; ++k) {
            const double want =
                Table::best(table.a[i], table.b[i], table.alpha[i], table.beta[i], table.budget[k]);
            CHECK(one.best[2 * i + k] == static_cast<long>(k));
            CHECK(std::fabs(one.x[2 * (2 * i + k)] - want) < 1e-10);
            CHECK(std::fabs(one.x[2 * (2 * i + k) + 1] - (table.budget[k] - want)) < 1e-10);
        }
    const FollowResult two = Follow(problem).run(2, monitor);
    CHECK(two.best == one.best);
    CHECK(two.x == one.x);
    CHECK(two.objective == one.objective);

    // Without the limit the loss falls for ever: nothing is settled, and nothing pretended.
    FollowProblem open = problem;
    open.binding = {0};
    const FollowResult lost = Follow(open).run(2, monitor);
    CHECK(lost.unsettled.size() == 2 * Table::draws);
    CHECK(lost.best[0] == -1);

    // A column that a program computes first, and what becomes of a sign that cannot be.
    Program::Parts parts;
    parts.columns = {"raw"};
    parts.parameters = {"x", "y"};
    parts.output = 0;
    const Program copy(parts);
    std::vector<double> raw{20.0, -1.0};
    FollowProblem derived = problem;
    derived.by_start = {{"raw", raw.data()}};
    derived.derived = {{"budget", &copy, true, 25.0}};
    CHECK(Follow(derived).run(1, monitor).x == one.x);

    FollowProblem wrong = problem;
    wrong.by_start.clear();
    CHECK(refused(wrong));
    wrong = problem;
    wrong.group = {0, 2};
    CHECK(refused(wrong));
}
