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
    std::vector<long> joined;   // the start whose way was met and whose end is given, or -1
    std::vector<long> repeats;  // an earlier start at the same point, whose end is given, or -1
    // Starts that could have stopped early and went on, by whether they ended as predicted; since all
    // claims were withdrawn, where they were.
    long checked = 0, refuted = 0;
    bool interrupted = false;
};

// For each start, (count, dimension) row-major, the first one that is the same to the bit, or -1.
std::vector<long> earlier_same(const double* starts, long count, int dimension);

// starts: (count, dimension) row-major. Every start is followed to its end or, with early_stop,
// until it meets the way of an earlier one (paths.hpp), whose end it then shares; one that is an
// earlier start to the bit is not run at all. Some are followed to their ends all the same. Where
// one ends elsewhere, or at an end not seen before, the claims that would not be made with its path
// known are withdrawn and their starts run again; where claims prove wrong too often, all are, and
// nearness is judged more strictly. Results are the same bits for any number of threads.
MultistartResult multistart(const Objective& objective, const double* starts, long count,
                            const SolverOptions& options, bool early_stop, int threads,
                            Monitor& monitor);

// F at each of `count` points, (count, dimension) row-major, without minimising.
std::vector<double> values_at(const Objective& objective, const double* points, long count,
                              int threads, Monitor& monitor);

}  // namespace lawfit
