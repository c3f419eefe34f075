// What one draw of a bootstrap makes of a table: other row weights, or other targets.
//
// Numbers are a function of (seed, draw) alone, and no law is involved, so that laws fitted to one
// table see the same draws.
#pragma once

#include <cstdint>
#include <vector>

#include <lawfit/kernels.hpp>

namespace lawfit {

struct Resampling {
    enum class Kind {
        counts,       // units drawn with replacement, as many as there are, stratum by stratum
        blocks,       // in every stratum, runs of consecutive units until it is full
        dirichlet,    // weights of units from the flat Dirichlet distribution, one on average
        deletion,     // draw d leaves out unit d
        residuals,    // every row takes the residual of a row drawn with replacement
        multipliers,  // the residuals of each unit times one random number
        density,      // residuals from the density exp(-rho) / Z
    };
    Kind kind = Kind::counts;
    // A unit is what is drawn as a whole; those of a stratum are numbered one after another.
    std::vector<int> unit;  // (rows,) the unit of every row
    std::vector<int>
        strata;         // (strata + 1,) the first unit of each stratum, then the number of units
    int length = 1;     // units of a block
    bool webb = false;  // multipliers of six values (Webb, 2023) instead of -1 and 1
    kernels::LossSpec density;  // rho
    double spread = 1.0;        // residuals are so many times what the density gives

    // Throws std::invalid_argument when units and strata do not agree.
    void check() const;
    int rows() const { return static_cast<int>(unit.size()); }
    int units() const { return strata.back(); }
    bool renews_targets() const { return kind >= Kind::residuals; }

    // How often or how heavily each unit is in a draw: of the first four kinds. out: (units,)
    // Throws std::invalid_argument where the unit to leave out does not exist.
    void weigh(std::uint64_t seed, long draw, double* out) const;
    // Residuals of a draw: of the others. given: (rows,), may be null for `density`; weight: (rows,)
    // or null, rows without weight lend no residual. out: (rows,)
    void renew(std::uint64_t seed, long draw, const double* given, const double* weight,
               double* out) const;
};

}  // namespace lawfit
