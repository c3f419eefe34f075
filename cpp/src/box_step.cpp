#include <lawfit/solver/box_step.hpp>

#include <cmath>

namespace lawfit {

BoxStep::BoxStep(int dimension)
    : dimension_(dimension),
      side_(static_cast<std::size_t>(dimension), 0),
      reduced_(dimension, dimension),
      right_(dimension),
      target_(dimension) {
    free_.reserve(static_cast<std::size_t>(dimension));
}

namespace {

// Cholesky factor and solution by plain loops, factor and b overwritten: for the handful of
// parameters that most laws have this takes a fifth of the time of Eigen's general code, while Eigen's
// code for sizes known to the compiler, as fast, would take longer to compile than the whole library.
template <int size>  // 0: n decides
bool solve_small(Eigen::MatrixXd& factor, Eigen::VectorXd& right, Eigen::Index any_size) {
    const Eigen::Index n = size ? size : any_size;
    double* const a = factor.data();  // column-major, (dimension, dimension)
    double* const b = right.data();
    const Eigen::Index stride = factor.outerStride();
    for (Eigen::Index j = 0; j < n; ++j) {
        double* const column = a + j * stride;
        for (Eigen::Index k = 0; k < j; ++k) {
            const double* const previous = a + k * stride;
            const double factor_jk = previous[j];
            for (Eigen::Index i = j; i < n; ++i) column[i] -= factor_jk * previous[i];
        }
        if (!(column[j] > 0.0)) return false;
        const double inverse = 1.0 / std::sqrt(column[j]);
        for (Eigen::Index i = j; i < n; ++i) column[i] *= inverse;
        b[j] *= inverse;  // forward substitution goes along: column[j] was the pivot
        for (Eigen::Index i = j + 1; i < n; ++i) b[i] -= column[i] * b[j];
    }
    for (Eigen::Index j = n; j-- > 0;) {
        const double* const column = a + j * stride;
        double sum = b[j];
        for (Eigen::Index i = j + 1; i < n; ++i) sum -= column[i] * b[i];
        b[j] = sum / column[j];
    }
    return true;
}

bool solve_general(Eigen::MatrixXd& factor, Eigen::VectorXd& b, Eigen::Index n) {
    Eigen::Ref<Eigen::MatrixXd> block = factor.topLeftCorner(n, n);
    Eigen::LLT<Eigen::Ref<Eigen::MatrixXd>> cholesky(block);
    if (cholesky.info() != Eigen::Success) return false;
    auto head = b.head(n);
    cholesky.solveInPlace(head);
    return true;
}

constexpr Eigen::Index small = 16;

bool solve_positive_definite(Eigen::MatrixXd& factor, Eigen::VectorXd& b, Eigen::Index n) {
    switch (n) {
        case 2: return solve_small<2>(factor, b, n);
        case 3: return solve_small<3>(factor, b, n);
        case 4: return solve_small<4>(factor, b, n);
        case 5: return solve_small<5>(factor, b, n);
        case 6: return solve_small<6>(factor, b, n);
        case 7: return solve_small<7>(factor, b, n);
        default: return n <= small ? solve_small<0>(factor, b, n) : solve_general(factor, b, n);
    }
}

}  // namespace

// Minimiser over the free coordinates with the others held at d, into target_.
bool BoxStep::solve_free(const Matrix& B, const Vector& g, const Vector& d) {
    free_.clear();
    for (int i = 0; i < dimension_; ++i)
        if (side_[static_cast<std::size_t>(i)] == 0) free_.push_back(i);
    const auto n = static_cast<Eigen::Index>(free_.size());
    active_count_ = dimension_ - static_cast<int>(n);
    if (n == 0) return true;
    for (Eigen::Index a = 0; a < n; ++a) {
        const int i = free_[static_cast<std::size_t>(a)];
        double r = -g[i];
        for (int j = 0; j < dimension_; ++j)
            if (side_[static_cast<std::size_t>(j)] != 0) r -= B(i, j) * d[j];
        right_[a] = r;
        for (Eigen::Index b = 0; b <= a; ++b)
            reduced_(a, b) = B(i, free_[static_cast<std::size_t>(b)]);
    }
    if (!solve_positive_definite(reduced_, right_, n)) return false;
    for (Eigen::Index a = 0; a < n; ++a) target_[free_[static_cast<std::size_t>(a)]] = right_[a];
    return right_.head(n).allFinite();
}

double BoxStep::inverse_form(const Vector& v) {
    const auto n = static_cast<Eigen::Index>(free_.size());
    for (Eigen::Index a = 0; a < n; ++a) right_[a] = v[free_[static_cast<std::size_t>(a)]];
    double total = 0.0;
    for (Eigen::Index j = 0; j < n; ++j) {  // forward substitution
        const double* const column = reduced_.data() + j * reduced_.outerStride();
        const double z = right_[j] / column[j];
        for (Eigen::Index i = j + 1; i < n; ++i) right_[i] -= column[i] * z;
        total += z * z;
    }
    return total;
}

bool BoxStep::solve(const Matrix& B, const Vector& g, const Vector& lower, const Vector& upper,
                    Vector& d) {
    d.setZero(dimension_);
    for (int i = 0; i < dimension_; ++i) {
        const bool at_lower = lower[i] >= 0.0 && g[i] > 0.0;
        const bool at_upper = upper[i] <= 0.0 && g[i] < 0.0;
        side_[static_cast<std::size_t>(i)] = at_lower ? -1 : (at_upper ? 1 : 0);
    }
    for (int iteration = 0; iteration < 8 * dimension_ + 16; ++iteration) {
        if (!solve_free(B, g, d)) return false;
        // As far towards the free minimiser as the box allows.
        double reach = 1.0;
        int blocking = -1;
        for (const int i : free_) {
            const double move = target_[i] - d[i];
            const double room = move > 0.0 ? upper[i] - d[i] : lower[i] - d[i];
            if (std::fabs(move) > std::fabs(room) && room / move < reach) {
                reach = room / move;
                blocking = i;
            }
        }
        for (const int i : free_) d[i] += reach * (target_[i] - d[i]);
        if (blocking >= 0) {
            const bool up = target_[blocking] > d[blocking] || upper[blocking] <= d[blocking];
            side_[static_cast<std::size_t>(blocking)] = up ? 1 : -1;
            d[blocking] = up ? upper[blocking] : lower[blocking];
            continue;
        }
        // Every multiplier must point out of the box; let go of the worst that does not.
        int worst = -1;
        double violation = 0.0;
        for (int i = 0; i < dimension_; ++i) {
            const int side = side_[static_cast<std::size_t>(i)];
            if (side == 0) continue;
            const double slope = g[i] + B.row(i).dot(d);
            const double inward = side < 0 ? -slope : slope;
            const double relative = inward / (std::sqrt(B(i, i)) + 1e-300);
            if (lower[i] < upper[i] &&
                relative > violation + 1e-14 * std::fabs(g[i]) / (std::sqrt(B(i, i)) + 1e-300)) {
                violation = relative;
                worst = i;
            }
        }
        if (worst < 0) return true;
        side_[static_cast<std::size_t>(worst)] = 0;
    }
    return true;  // cycling through rounding: d is feasible and no worse than zero
}

}  // namespace lawfit
