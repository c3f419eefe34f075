// The minimiser of a convex quadratic model over a box: one step of a bounded Newton-type method.
#pragma once

#include <memory>
#include <vector>

#include <Eigen/Core>

#include <lawfit/objective/symmetric.hpp>

namespace lawfit {

// Finds d that minimises g.d + d.B.d / 2 subject to lower <= d <= upper, with lower <= 0 <= upper,
// by an active-set method that ends after finitely many factorisations. Without bounds it is one
// Cholesky solve, in time and memory that follow the entries of the pattern. Owns its memory.
class BoxStep {
public:
    explicit BoxStep(std::shared_ptr<const SymmetricPattern> pattern);
    ~BoxStep();
    BoxStep(const BoxStep&) = delete;
    BoxStep& operator=(const BoxStep&) = delete;

    // False when B is not positive definite on the free coordinates. B: of the pattern; g, lower,
    // upper, d: (dimension,).
    bool solve(const SymmetricMatrix& B, const Vector& g, const Vector& lower, const Vector& upper,
               Vector& d);

    // After solve(): v.B^-1.v over the free coordinates, for the derivative of |d| in the damping.
    double inverse_form(const Vector& v);

    // Whether the last step holds some coordinate at a bound that the gradient pushes against.
    bool bound_is_active() const { return active_count_ > 0; }

private:
    struct Sparse;  // Cholesky factor of a matrix with zeros
    enum class Joint { solved, indefinite, circling };

    void choose_sides(const Vector& g, const Vector& lower, const Vector& upper);
    Joint solve_jointly(const Vector& g, const Vector& lower, const Vector& upper, Vector& d);
    bool solve_singly(const Vector& g, const Vector& lower, const Vector& upper, Vector& d);
    double inward_pull(int i, const Vector& g, const Vector& lower, const Vector& upper) const;
    bool solve_free(const Vector& g, const Vector& d);
    bool solve_free_full(const Vector& g, const Vector& d);
    bool solve_free_sparse(const Vector& g, const Vector& d);

    int dimension_;
    int active_count_ = 0;
    std::vector<int> side_;  // -1 at lower, +1 at upper, 0 free
    std::vector<int> free_;
    const SymmetricMatrix* matrix_ = nullptr;
    Matrix full_, reduced_;  // used where the pattern is full
    Vector right_, target_, held_, slope_;
    std::unique_ptr<Sparse> sparse_;  // used where it is not
};

}  // namespace lawfit
