#include <lawfit/solver/box_step.hpp>

#include <algorithm>
#include <cmath>
#include <numeric>

#include <lawfit/solver/positive_definite.hpp>

#include "box_step_sparse.hpp"

namespace lawfit {

BoxStep::BoxStep(std::shared_ptr<const SymmetricPattern> pattern)
    : dimension_(pattern->dimension()),
      side_(static_cast<std::size_t>(dimension_), 0),
      right_(dimension_),
      target_(dimension_),
      held_(dimension_),
      slope_(dimension_) {
    free_.reserve(static_cast<std::size_t>(dimension_));
    if (!pattern->is_full()) {
        sparse_ = std::make_unique<Sparse>(*pattern);
        return;
    }
    full_.setZero(dimension_, dimension_);
    reduced_.setZero(dimension_, dimension_);
}

BoxStep::~BoxStep() = default;

// Minimiser over the free coordinates with the others held at d, into target_.
bool BoxStep::solve_free(const Vector& g, const Vector& d) {
    free_.clear();
    for (int i = 0; i < dimension_; ++i)
        if (side_[static_cast<std::size_t>(i)] == 0) free_.push_back(i);
    active_count_ = dimension_ - static_cast<int>(free_.size());
    if (free_.empty()) return true;
    return sparse_ ? solve_free_sparse(g, d) : solve_free_full(g, d);
}

bool BoxStep::solve_free_full(const Vector& g, const Vector& d) {
    const auto n = static_cast<Eigen::Index>(free_.size());
    if (active_count_ == 0) {
        reduced_ = full_;
        right_ = -g;
        if (!solve_positive_definite(reduced_, right_, n)) return false;
        target_ = right_;
        return target_.allFinite();
    }
    for (Eigen::Index a = 0; a < n; ++a) {
        const int i = free_[static_cast<std::size_t>(a)];
        double r = -g[i];
        for (int j = 0; j < dimension_; ++j)
            if (side_[static_cast<std::size_t>(j)] != 0) r -= full_(i, j) * d[j];
        right_[a] = r;
        for (Eigen::Index b = 0; b < n; ++b)
            reduced_(b, a) = full_(free_[static_cast<std::size_t>(b)], i);
    }
    if (!solve_positive_definite(reduced_, right_, n)) return false;
    for (Eigen::Index a = 0; a < n; ++a) target_[free_[static_cast<std::size_t>(a)]] = right_[a];
    return right_.head(n).allFinite();
}

bool BoxStep::solve_free_sparse(const Vector& g, const Vector& d) {
    right_ = -g;
    if (active_count_ > 0) {
        for (int i = 0; i < dimension_; ++i)
            held_[i] = side_[static_cast<std::size_t>(i)] != 0 ? d[i] : 0.0;
        matrix_->multiply(held_, slope_);
        right_ -= slope_;
    }
    return sparse_->factorise(*matrix_, side_) && sparse_->solve(right_, side_, target_);
}

double BoxStep::inverse_form(const Vector& v) {
    if (sparse_) {
        right_ = v;
        if (!sparse_->solve(right_, side_, held_)) return 0.0;
        double total = 0.0;
        for (const int i : free_) total += v[i] * held_[i];
        return total;
    }
    const auto n = static_cast<Eigen::Index>(free_.size());
    for (Eigen::Index a = 0; a < n; ++a) right_[a] = v[free_[static_cast<std::size_t>(a)]];
    return lawfit::inverse_form(reduced_, n, right_.data());
}

bool BoxStep::solve(const SymmetricMatrix& B, const Vector& g, const Vector& lower,
                    const Vector& upper, Vector& d) {
    matrix_ = &B;
    if (!sparse_) {
        choose_sides(g, lower, upper);
        if (std::all_of(side_.begin(), side_.end(), [](int side) { return side == 0; })) {
            // Most steps end here: no bound has a say.
            const double* value = B.values().data();
            for (Eigen::Index j = 0; j < dimension_; ++j)
                for (Eigen::Index i = j; i < dimension_; ++i) reduced_(i, j) = *value++;
            for (Eigen::Index i = 0; i < dimension_; ++i) right_[i] = -g[i];
            if (!solve_positive_definite(reduced_, right_, dimension_)) return false;
            bool inside = true, finite = true;
            for (Eigen::Index i = 0; i < dimension_; ++i) {
                finite = finite && std::isfinite(right_[i]);
                inside = inside && right_[i] >= lower[i] && right_[i] <= upper[i];
            }
            if (!finite) return false;
            if (inside) {
                d = right_;
                active_count_ = 0;
                if (static_cast<int>(free_.size()) != dimension_) {
                    free_.resize(static_cast<std::size_t>(dimension_));
                    std::iota(free_.begin(), free_.end(), 0);
                }
                return true;
            }
        }
        B.to_full(full_);
        return solve_singly(g, lower, upper, d);
    }
    // Of thousands of coordinates hundreds may come to a bound in one step: one at a time, each with
    // a factorisation, would take long.
    switch (solve_jointly(g, lower, upper, d)) {
        case Joint::solved: return true;
        case Joint::indefinite: return false;
        default: return solve_singly(g, lower, upper, d);
    }
}

// Starts with those coordinates held that are at a bound and pushed against it.
void BoxStep::choose_sides(const Vector& g, const Vector& lower, const Vector& upper) {
    for (int i = 0; i < dimension_; ++i) {
        const bool at_lower = lower[i] >= 0.0 && g[i] > 0.0;
        const bool at_upper = upper[i] <= 0.0 && g[i] < 0.0;
        side_[static_cast<std::size_t>(i)] = at_lower ? -1 : (at_upper ? 1 : 0);
    }
}

// How much a held coordinate is drawn inwards, by slope_ = g + B d; 0 where it is not.
double BoxStep::inward_pull(int i, const Vector& g, const Vector& lower,
                            const Vector& upper) const {
    const int side = side_[static_cast<std::size_t>(i)];
    if (side == 0 || !(lower[i] < upper[i])) return 0.0;
    const double root = std::sqrt(matrix_->diagonal(i)) + 1e-300;
    const double pull = (side < 0 ? -slope_[i] : slope_[i]) / root;
    return pull > 1e-14 * std::fabs(g[i]) / root ? pull : 0.0;
}

// All coordinates that leave the box are held at once and all that are drawn inwards let go of at
// once (the primal-dual active-set method). It may go round in circles.
BoxStep::Joint BoxStep::solve_jointly(const Vector& g, const Vector& lower, const Vector& upper,
                                      Vector& d) {
    d.setZero(dimension_);
    choose_sides(g, lower, upper);
    for (int iteration = 0; iteration < 30; ++iteration) {
        if (!solve_free(g, d)) return Joint::indefinite;
        for (const int i : free_) d[i] = target_[i];
        matrix_->multiply(d, slope_);
        slope_ += g;
        bool changed = false;
        for (int i = 0; i < dimension_; ++i) {
            int& side = side_[static_cast<std::size_t>(i)];
            if (side != 0) {
                if (inward_pull(i, g, lower, upper) > 0.0) {
                    side = 0;
                    changed = true;
                }
            } else if (d[i] < lower[i] || d[i] > upper[i]) {
                side = d[i] < lower[i] ? -1 : 1;
                d[i] = side < 0 ? lower[i] : upper[i];
                changed = true;
            }
        }
        if (!changed) return Joint::solved;
    }
    return Joint::circling;
}

bool BoxStep::solve_singly(const Vector& g, const Vector& lower, const Vector& upper, Vector& d) {
    d.setZero(dimension_);
    choose_sides(g, lower, upper);
    for (int iteration = 0; iteration < 8 * dimension_ + 16; ++iteration) {
        if (!solve_free(g, d)) return false;
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
        if (active_count_ == 0) return true;
        // Every multiplier must point out of the box; let go of the worst that does not.
        matrix_->multiply(d, slope_);
        slope_ += g;
        int worst = -1;
        double violation = 0.0;
        for (int i = 0; i < dimension_; ++i) {
            const double pull = inward_pull(i, g, lower, upper);
            if (pull > violation) {
                violation = pull;
                worst = i;
            }
        }
        if (worst < 0) return true;
        side_[static_cast<std::size_t>(worst)] = 0;
    }
    return true;  // cycling through rounding: d is feasible and no worse than zero
}

}  // namespace lawfit
