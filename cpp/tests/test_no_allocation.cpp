// A worker allocates when it is made and never again, whatever it solves.
#include <memory>

#include <lawfit/solver/solver.hpp>

#include "allocations.hpp"
#include "check.hpp"
#include "problems.hpp"

using namespace problems;

namespace {

template <class Body>
long allocations_in(Body body) {
    const long before = allocations::count();
    body();
    return allocations::count() - before;
}

// The counting counts.
void counting() {
    std::unique_ptr<double> single;
    Buffer aligned;
    Vector vector;
    CHECK(allocations_in([&] {
              single = std::make_unique<double>(1.0);
              // Or the compiler may leave out what nobody looks at.
              [[maybe_unused]] double* volatile seen = single.get();
          }) == 1);
    CHECK(allocations_in([&] { aligned.resize(100); }) == 1);
    if (allocations::includes_malloc()) CHECK(allocations_in([&] { vector.resize(100); }) == 1);
}

void solves(const Objective& objective, const Vector& first, const Vector& second) {
    ObjectiveEvaluator evaluator(objective);
    Solver solver(evaluator, {});
    Solution solution;
    solver.solve(first, solution);  // a solution and some lists grow once
    CHECK(allocations_in([&] { solver.solve(first, solution); }) == 0);
    CHECK(allocations_in([&] { solver.solve(second, solution); }) == 0);
    CHECK(succeeded(solution.status));
    const Vector bad = Vector::Constant(objective.dimension(), NAN);
    CHECK(allocations_in([&] { solver.solve(bad, solution); }) == 0);
}

void solves(const Objective& objective) {
    const Vector first = chinchilla_start(objective.dimension());
    Vector second = first;
    second[0] += 0.3;
    second[3] = 0.3;
    solves(objective, first, second);
}

}  // namespace

void run_tests() {
    counting();
    const LossSpec losses[] = {
        LossSpec{}, huber(1e-3), linear_loss(1.0, 1.0, 0.0), {LossKind::logcosh, 1.0, 1.0, 1e-2}};
    for (const int rows : {40, 600}) {  // a part of a block, and several blocks
        const Table table = chinchilla_table(rows, 0.01);
        for (const LossSpec& loss : losses) {
            solves(chinchilla_objective(table, loss));
            solves(chinchilla_objective(table, loss, true));
        }
        // A bound that holds at the minimum.
        Objective::Bounds bounds = no_bounds(5);
        bounds.upper[3] = 0.3;
        solves(objective_of(Program(chinchilla_parts()), table.columns(), table.target,
                            {huber(1e-3), false, 0.0}, bounds));
        solves(chinchilla_objective(chinchilla_table(rows, 0.0), huber(1e-3)));
    }
    // Operations on parameters: rows read three slots that depend on two parameters.
    solves(rosenbrock_objective(), Vector::Constant(2, -1.2), Vector::Constant(2, 3.0));
}
