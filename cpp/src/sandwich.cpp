#include <lawfit/search/sandwich.hpp>

#include <Eigen/Cholesky>

#include <algorithm>
#include <cmath>

namespace lawfit {

Sandwich::Sandwich(const Objective& objective, const std::vector<int>& unit, int units)
    : row_of_(static_cast<std::size_t>(objective.layout().padded()), 0),
      scores_(units, objective.dimension()),
      hessian_(objective.pattern()),
      second_(objective.pattern()) {
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
    meat_.noalias() = scores_.transpose() * scores_;

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
    const Eigen::LLT<Matrix> factor(bread_);
    if (factor.info() != Eigen::Success || !meat_.allFinite()) {
        covariance.setConstant(NAN);
        return;
    }
    covariance = factor.solve(meat_).transpose();
    covariance = factor.solve(covariance).eval();
}

}  // namespace lawfit
