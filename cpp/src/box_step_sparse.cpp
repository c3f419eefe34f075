#include "box_step_sparse.hpp"

#include <Eigen/SparseCholesky>
#include <Eigen/SparseCore>

namespace lawfit {

struct BoxStep::Sparse::Factor {
    Eigen::SparseMatrix<double> matrix;  // lower triangle
    Eigen::SimplicialLLT<Eigen::SparseMatrix<double>, Eigen::Lower> cholesky;
};

BoxStep::Sparse::Sparse(const SymmetricPattern& pattern) : factor(std::make_unique<Factor>()) {
    const Vector ones = Vector::Ones(pattern.count());
    factor->matrix = Eigen::Map<const Eigen::SparseMatrix<double>>(
        pattern.dimension(), pattern.dimension(), pattern.count(), pattern.begins().data(),
        pattern.rows().data(), ones.data());
    factor->cholesky.analyzePattern(factor->matrix);
}

BoxStep::Sparse::~Sparse() = default;

bool BoxStep::Sparse::factorise(const SymmetricMatrix& matrix, const std::vector<int>& side) {
    const SymmetricPattern& pattern = *matrix.pattern();
    double* values = factor->matrix.valuePtr();
    const auto is_held = [&](int i) { return side[static_cast<std::size_t>(i)] != 0; };
    for (int j = 0; j < pattern.dimension(); ++j)
        for (int entry = pattern.begin(j); entry < pattern.begin(j + 1); ++entry) {
            const bool held = is_held(j) || is_held(pattern.row(entry));
            values[entry] =
                !held ? matrix.values()[entry] : (entry == pattern.begin(j) ? 1.0 : 0.0);
        }
    factor->cholesky.factorize(factor->matrix);
    return factor->cholesky.info() == Eigen::Success;
}

bool BoxStep::Sparse::solve(const Vector& b, const std::vector<int>& side, Vector& x) {
    x = b;
    for (Eigen::Index i = 0; i < x.size(); ++i)
        if (side[static_cast<std::size_t>(i)] != 0) x[i] = 0.0;
    x = factor->cholesky.solve(x);
    return x.allFinite();
}

}  // namespace lawfit
