// The coefficients of a law's terms that fit best with its exponents as they are: where to start.
#pragma once

#include <memory>
#include <vector>

#include <lawfit/expression/evaluator.hpp>
#include <lawfit/objective/objective.hpp>
#include <lawfit/parallel.hpp>
#include <lawfit/solver/box_step.hpp>

namespace lawfit {

// A level is a free parameter that is the logarithm of the coefficient of one term of a sum, and is
// nowhere else. Where the program's value is the logarithm of such a sum, the sum's relative errors are
// linear in the coefficients. Holds its memory; the objective must outlive it.
class Levels {
public:
    explicit Levels(const Objective& objective);

    // False where the law has no levels or they are not looked for: in objectives with several segments
    // or censored rows.
    bool exist() const { return !leaf_.empty(); }

    // Moves the levels of x to the minimum of sum w (sum_k term_k / y - 1)^2 over coefficients that are
    // not negative; a term that should vanish keeps 1 % of y. Leaves x as it is where that
    // minimum is not found in doubles. Returns half the least sum, before bounds and shares have their
    // say, +inf where it is not found. x: (dimension,), within the bounds before and after
    double choose(Vector& x);

private:
    const Objective& objective_;
    Evaluator evaluator_;
    std::vector<int> leaf_;           // (levels,)
    std::vector<double> parameters_;  // (parameter_count,)
    Buffer weight_;                   // (padded,) over sigma squared, zero in the padding
    double total_weight_ = 0.0;
    Buffer ratio_, rest_;                                // (largest block,)
    std::vector<Buffer> term_;                           // (levels, largest block): term / y
    std::vector<const double*> terms_;                   // (levels,)
    std::vector<double> gram_, product_sum_, term_sum_;  // (packed), (levels,), (levels,)
    SymmetricMatrix matrix_;                             // of the levels
    BoxStep box_;
    Vector slope_, lower_, upper_, coefficient_;  // (levels,)
};

// Says of each of `count` points how promising it is as a start, the least the best: F, or, where the law
// has levels, the sum that they minimise, after moving the point to them.
// points: (count, dimension) row-major
std::vector<double> screen(const Objective& objective, double* points, long count, int threads,
                           Monitor& monitor);

// Moves each of `count` points to its levels, to 1/1024, where F is less there. points: as in screen()
void choose_levels(const Objective& objective, double* points, long count, int threads,
                   Monitor& monitor);

}  // namespace lawfit
