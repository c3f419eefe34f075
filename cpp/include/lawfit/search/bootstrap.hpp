// Refits on resampled rows: how far the estimate moves when the runs had been others.
#pragma once

#include <cstdint>
#include <vector>

#include <lawfit/objective/objective.hpp>
#include <lawfit/parallel.hpp>
#include <lawfit/solver/solver.hpp>

namespace lawfit {

struct BootstrapResult {
    int dimension = 0;
    std::vector<double> x;  // (draws, dimension) row-major, NaN where not run
    std::vector<double> objective;
    std::vector<int> status;       // of the best solve of the draw
    std::vector<int> evaluations;  // of all solves of the draw
    // Whether a spread start ended below the warm start by more than 1e-6 relative.
    std::vector<char> warm_start_was_beaten;
    bool interrupted = false;
};

// Case resampling: draw d weighs each row by how often it is drawn, n rows out of n with
// replacement, times the objective's own weight. Every draw is refitted from starts[0], the warm
// start, and then from each other row of starts, (start_count, dimension) row-major; the lowest
// objective counts. Coordinates of segments without a row in the draw keep the value of the warm
// start. first_draw lets several processes share the work: draw numbers, not
// processes, determine the results.
BootstrapResult bootstrap_cases(const Objective& objective, const double* starts, int start_count,
                                long first_draw, long draws, std::uint64_t seed,
                                const SolverOptions& options, int threads, Monitor& monitor);

}  // namespace lawfit
