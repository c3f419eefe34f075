// How far an estimate is from the truth by its own rows: bread, the inverse Hessian, on both sides of
// the sum of squared scores (Huber, 1967).
#pragma once

#include <vector>

#include <lawfit/objective/objective_evaluator.hpp>

namespace lawfit {

// One worker's computation; holds its memory.
class Sandwich {
public:
    // unit: (rows,), rows of one unit may depend on each other.
    Sandwich(const Objective& objective, const std::vector<int>& unit, int units);

    // The covariance of x, a minimum under the evaluator's present weights and targets. count: how
    // often each unit is there, (units,); null: once. A coordinate at a bound, or without weight, does
    // not vary. NaN where the Hessian is not positive definite. Where a loss has a kink, or one too
    // narrow for the rows, curvature is counted over a core of 2 mean(|u|) n^(-1/3).
    // out: (dimension, dimension)
    void find(ObjectiveEvaluator& evaluator, const Vector& x, const double* count, double* out);

private:
    std::vector<int> row_of_;  // (padded,) the unit at each place
    Matrix scores_;            // (units, dimension)
    SymmetricMatrix hessian_, second_;
    Matrix bread_, meat_;
    Vector gradient_;
};

}  // namespace lawfit
