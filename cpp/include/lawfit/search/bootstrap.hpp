// Refits on resampled tables: how far the estimate moves when the runs had been others.
#pragma once

#include <cstdint>
#include <vector>

#include <lawfit/objective/objective.hpp>
#include <lawfit/parallel.hpp>
#include <lawfit/search/resampling.hpp>
#include <lawfit/solver/solver.hpp>

namespace lawfit {

struct BootstrapOptions {
    std::uint64_t seed = 0;
    // First draws and the number of them: draw numbers, not processes, determine the results.
    long first_draw = 0, draws = 0;
    bool early_stop = true;
    bool covariance = false;  // also estimate the covariance of every refit, see Sandwich
    int threads = 0;
};

struct BootstrapResult {
    int dimension = 0;
    std::vector<double> x;  // (draws, dimension) row-major, NaN where not run
    std::vector<double> objective;
    std::vector<int> status;       // of the best solve of the draw
    std::vector<int> evaluations;  // of all solves of the draw
    // Whether a spread start ended below the warm start by more than 1e-6 relative.
    std::vector<char> warm_start_was_beaten;
    // Whether every spread start was followed to its end.
    std::vector<char> followed;
    std::vector<int> rows_used;          // rows with weight
    std::vector<char> undetermined;      // (draws, dimension): no row with weight bears on it
    std::vector<double> covariance;      // (draws, dimension, dimension), or empty
    std::vector<double> own_covariance;  // of starts[0] under the table itself
    long other_evaluations = 0;          // for the ways of the starts under the table itself
    bool claims_failed = false;          // see bootstrap()
    bool interrupted = false;
};

// Refits the objective to every draw from starts[0], the fit's own minimum, and from each other row
// of starts, (start_count, dimension) row-major; the lowest objective counts. Coordinates of segments
// without a row in a draw keep their value in starts[0].
//
// A draw changes the objective little, so a spread start mostly goes the way that it goes under the
// table itself. With early_stop those ways are recorded first. A start of a draw that comes upon one
// of them (Paths) is stopped and counted to the minimum of the draw that lies near its end. That is a
// claim, so it is tested: in the first 32 draws, in every eighth up to 512 and in every sixteenth later all starts are followed.
// If a draw's answer would have been another without that, no claim is trusted: all draws are made
// again with all starts followed.
BootstrapResult bootstrap(const Objective& objective, const Resampling& resampling,
                          const double* starts, int start_count, const BootstrapOptions& options,
                          const SolverOptions& solver_options, Monitor& monitor);

}  // namespace lawfit
