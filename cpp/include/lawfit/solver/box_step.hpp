// The minimiser of a convex quadratic model over a box: one step of a bounded Newton-type method.
#pragma once

#include <vector>

#include <Eigen/Cholesky>
#include <Eigen/Core>

namespace lawfit {

// Finds d that minimises g.d + d.B.d / 2 subject to lower <= d <= upper, with lower <= 0 <= upper,
// by an active-set method that ends after finitely many factorisations. Without bounds it is one
// Cholesky solve. Owns its memory.
class BoxStep {
public:
    using Vector = Eigen::VectorXd;
    using Matrix = Eigen::MatrixXd;

    explicit BoxStep(int dimension);

    // False when B is not positive definite on the free coordinates. B, g, lower, upper, d:
    // (dimension, dimension) and (dimension,).
    bool solve(const Matrix& B, const Vector& g, const Vector& lower, const Vector& upper,
               Vector& d);

    // After solve(): v.B^-1.v over the free coordinates, for the derivative of |d| in the damping.
    double inverse_form(const Vector& v);

    // Whether the last step holds some coordinate at a bound that the gradient pushes against.
    bool bound_is_active() const { return active_count_ > 0; }

private:
    bool solve_free(const Matrix& B, const Vector& g, const Vector& d);

    int dimension_;
    int active_count_ = 0;
    std::vector<int> side_;  // -1 at lower, +1 at upper, 0 free
    std::vector<int> free_;
    Matrix reduced_;
    Vector right_, target_;
};

}  // namespace lawfit
