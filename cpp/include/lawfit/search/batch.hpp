// One program fitted to many small tables, each by itself from many starts.
#pragma once

#include <vector>

#include <lawfit/objective/objective.hpp>
#include <lawfit/parallel.hpp>
#include <lawfit/solver/solver.hpp>

namespace lawfit {

// Tables one after another in common columns, with one set of settings. Everything pointed to must
// outlive the search.
struct BatchProblem {
    const Program* program = nullptr;
    Objective::Data data;      // of all tables; order and segment_rows are not used
    std::vector<int> offsets;  // (tables + 1,): rows [offsets[t], offsets[t + 1]) are table t
    Objective::Terms terms;
    Parameterisation parameterisation;  // of one segment
    Vector lower, upper;                // (dimension,)

    int tables() const { return static_cast<int>(offsets.size()) - 1; }
};

// Points of table t: origin[t] + width[t] * points[k]. Of each `tournament` points in turn the one of
// least objective becomes a start. Where the law has levels (levels.hpp) and there is a tournament, only its
// first half is looked at, with the levels that fit best.
struct BatchStarts {
    const double* origin = nullptr;   // (tables, dimension) row-major
    const double* width = nullptr;    // (tables, dimension) row-major
    const double* typical = nullptr;  // (tables, dimension) row-major, see Objective::Bounds
    const double* points = nullptr;   // (starts * tournament, dimension) row-major
    int starts = 0;
    int tournament = 1;
    int enough =
        0;  // a table is done when so many starts have come to its best end; 0: never early
};

// One row per table; rows of tables that were not run keep Status::not_run and NaN.
struct BatchResult {
    int dimension = 0;
    std::vector<double> x;  // (tables, dimension) row-major
    std::vector<double> objective;
    std::vector<int> status;
    std::vector<int> evaluations;
    std::vector<int> hits;    // starts that ended within 1e-6 of the best objective
    std::vector<int> starts;  // that were run
    bool interrupted = false;
};

// In tables of 64 rows or more starts that meet the way of an earlier one share its end (paths.hpp);
// every eighth is followed to its own, and where one ends elsewhere, all starts of the table are. The same bits for any number of
// threads.
BatchResult fit_batch(const BatchProblem& problem, const BatchStarts& starts,
                      const SolverOptions& options, int threads, Monitor& monitor);

}  // namespace lawfit
