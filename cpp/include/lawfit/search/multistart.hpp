// Many starts, each to its own minimum, in the order of the starts.
#pragma once

#include <vector>

#include <lawfit/objective/objective.hpp>
#include <lawfit/parallel.hpp>
#include <lawfit/solver/solver.hpp>

namespace lawfit {

// One row per start; rows of starts that were not run keep Status::not_run and NaN.
struct MultistartResult {
    int dimension = 0;
    std::vector<double> x;  // (starts, dimension) row-major
    std::vector<double> objective;
    std::vector<double> decrement;
    std::vector<int> status;
    std::vector<int> evaluations;
    bool interrupted = false;
};

// starts: (count, dimension) row-major. Results are the same bits for any number of threads.
MultistartResult multistart(const Objective& objective, const double* starts, long count,
                            const SolverOptions& options, int threads, Monitor& monitor);

// F at each of `count` points, (count, dimension) row-major, without minimising.
std::vector<double> values_at(const Objective& objective, const double* points, long count,
                              int threads, Monitor& monitor);

}  // namespace lawfit
