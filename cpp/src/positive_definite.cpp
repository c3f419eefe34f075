#include <lawfit/solver/positive_definite.hpp>

namespace lawfit {
namespace {

template <int size>  // 0: any_size decides
bool factor_and_solve(Matrix& factor, Vector& right, Eigen::Index any_size) {
    const Eigen::Index n = size ? size : any_size;
    double* const a = factor.data();  // column-major, (stride, columns)
    double* const b = right.data();   // (n,)
    const Eigen::Index stride = factor.outerStride();
    for (Eigen::Index j = 0; j < n; ++j) {
        double* const column = a + j * stride;
        if (!(column[j] > 0.0)) return false;
        const double inverse = 1.0 / column[j];
        for (Eigen::Index k = j + 1; k < n; ++k) {
            double* const later = a + k * stride;
            const double f = column[k] * inverse;
            for (Eigen::Index i = k; i < n; ++i) later[i] -= column[i] * f;
        }
        for (Eigen::Index i = j + 1; i < n; ++i) {
            column[i] *= inverse;
            b[i] -= column[i] * b[j];
        }
        b[j] *= inverse;
    }
    for (Eigen::Index j = n; j-- > 0;) {
        const double* const column = a + j * stride;
        double sum = b[j];
        for (Eigen::Index i = j + 1; i < n; ++i) sum -= column[i] * b[i];
        b[j] = sum;
    }
    return true;
}

void forward_substitute(const Matrix& factor, Eigen::Index n, double* b) {
    for (Eigen::Index j = 0; j < n; ++j)
        for (Eigen::Index i = j + 1; i < n; ++i) b[i] -= factor(i, j) * b[j];
}

}  // namespace

bool solve_positive_definite(Matrix& factor, Vector& right, Eigen::Index n) {
    switch (n) {
        case 2: return factor_and_solve<2>(factor, right, n);
        case 3: return factor_and_solve<3>(factor, right, n);
        case 4: return factor_and_solve<4>(factor, right, n);
        case 5: return factor_and_solve<5>(factor, right, n);
        case 6: return factor_and_solve<6>(factor, right, n);
        case 7: return factor_and_solve<7>(factor, right, n);
        case 8: return factor_and_solve<8>(factor, right, n);
        case 9: return factor_and_solve<9>(factor, right, n);
        default: return factor_and_solve<0>(factor, right, n);
    }
}

void solve_factored(const Matrix& factor, Eigen::Index n, double* b) {
    forward_substitute(factor, n, b);
    for (Eigen::Index j = n; j-- > 0;) {
        b[j] /= factor(j, j);
        for (Eigen::Index i = j + 1; i < n; ++i) b[j] -= factor(i, j) * b[i];
    }
}

double inverse_form(const Matrix& factor, Eigen::Index n, double* b) {
    forward_substitute(factor, n, b);
    double total = 0.0;
    for (Eigen::Index j = 0; j < n; ++j) total += b[j] * b[j] / factor(j, j);
    return total;
}

}  // namespace lawfit
