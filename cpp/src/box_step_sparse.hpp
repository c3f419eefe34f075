// The Cholesky factor of a matrix with zeros, some coordinates of which are held: Eigen's.
#pragma once

#include <memory>
#include <vector>

#include <lawfit/solver/box_step.hpp>

namespace lawfit {

// Behind a pointer: Eigen's sparse headers take seconds to compile.
struct BoxStep::Sparse {
    explicit Sparse(const SymmetricPattern& pattern);
    ~Sparse();

    // Held coordinates, those whose side is not 0, become rows and columns of the identity, so that
    // the order found once serves any of them. False when the rest is not positive definite.
    bool factorise(const SymmetricMatrix& matrix, const std::vector<int>& side);
    // x, 0 where held, of the right-hand side b. False when it is not finite.
    bool solve(const Vector& b, const std::vector<int>& side, Vector& x);

    struct Factor;
    std::unique_ptr<Factor> factor;
};

}  // namespace lawfit
