// Systems with a symmetric positive definite matrix, by its factors L D L'.
//
// Plain loops: for the handful of parameters that most laws have they take a tenth of the time of Eigen's
// general code, which on the other hand would take longer to compile than the rest of the library.
#pragma once

#include <lawfit/objective/symmetric.hpp>

namespace lawfit {

// Solves with the first n rows and columns of `factor`, of which the lower triangle is read, into the
// first n of `right`. Leaves L below the diagonal of `factor` and D on it. False, with both overwritten,
// where the matrix is not positive definite.
bool solve_positive_definite(Matrix& factor, Vector& right, Eigen::Index n);

// Solves once more with what solve_positive_definite left. b: (n,), overwritten.
void solve_factored(const Matrix& factor, Eigen::Index n, double* b);

// b.A^-1.b for the matrix A of which solve_positive_definite left the factors. b: (n,), overwritten.
double inverse_form(const Matrix& factor, Eigen::Index n, double* b);

}  // namespace lawfit
