#include <lawfit/search/sandwich.hpp>

#include <algorithm>
#include <cmath>

#include <lawfit/solver/positive_definite.hpp>

namespace lawfit {

Sandwich::Sandwich(const Objective& objective, const std::vector<int>& unit, int units)
    : row_of_(static_cast<std::size_t>(objective.layout().padded()), 0),
      scores_(units, objective.dimension()),
      hessian_(objective.pattern()),
      second_(objective.pattern()),
      meat_(objective.dimension(), objective.dimension()) {
    for (int i = 0; i < objective.rows(); ++i)
        row_of_[static_cast<std::size_t>(objective.layout().place(i))] =
            unit[static_cast<std::size_t>(i)];
}

void Sandwich::find(ObjectiveEvaluator& evaluator, const Vector& x, const double* count,
                    double* out) {
    const Objective& objective = evaluator.objective();
    const int p = objective.dimension();
    const LossSpec loss = objective.terms().loss;
    evaluator.set_loss(loss);
    evaluator.value(x);
    scores_.setZero();
    evaluator.add_scores(row_of_.data(), scores_);
    if (count)
        for (Eigen::Index u = 0; u < scores_.rows(); ++u)
            scores_.row(u) *= count[u] > 0.0 ? 1.0 / std::sqrt(count[u]) : 0.0;
    for (int i = 0; i < p; ++i)
        for (int j = 0; j <= i; ++j) meat_(i, j) = meat_(j, i) = scores_.col(i).dot(scores_.col(j));

    if (loss.kind == LossKind::linear) {
        LossSpec wide = loss;
        const double size = evaluator.residual_sum({LossKind::linear, 1.0, 1.0, 0.0}, true) /
                            evaluator.total_weight();
        wide.core = std::max(loss.core, 2.0 * size * std::pow(objective.rows(), -1.0 / 3.0));
        evaluator.set_loss(wide);
        evaluator.value(x);
    }
    evaluator.derivatives(gradient_, nullptr, &hessian_);
    evaluator.second_order(second_);
    hessian_ += second_;
    hessian_.to_full(bread_);
    evaluator.set_loss(loss);

    std::vector<char> still(static_cast<std::size_t>(p), 0);
    for (const int i : evaluator.weightless()) still[static_cast<std::size_t>(i)] = 1;
    for (int i = 0; i < p; ++i) {
        if (!still[static_cast<std::size_t>(i)] && x[i] > objective.bounds().lower[i] &&
            x[i] < objective.bounds().upper[i])
            continue;
        for (Matrix* m : {&bread_, &meat_}) {
            m->row(i).setZero();
            m->col(i).setZero();
        }
        bread_(i, i) = 1.0;
    }
    Eigen::Map<Matrix> covariance(out, p, p);
    gradient_.setZero();
    if (!meat_.allFinite() || !solve_positive_definite(bread_, gradient_, p)) {
        covariance.setConstant(NAN);
        return;
    }
    for (int i = 0; i < p; ++i) solve_factored(bread_, p, meat_.col(i).data());
    covariance = meat_.transpose();
    for (int i = 0; i < p; ++i) solve_factored(bread_, p, covariance.col(i).data());
}

}  // namespace lawfit
