#include <lawfit/objective/objective.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <string>

namespace lawfit {
namespace {

constexpr int block = Evaluator::block_rows;
std::size_t index(int i) { return static_cast<std::size_t>(i); }

void require(bool condition, const char* message) {
    if (!condition) throw std::invalid_argument(message);
}

}  // namespace

Objective::Objective(Program program, const Data& data, const Terms& terms,
                     Parameterisation parameterisation, Bounds bounds)
    : program_(std::move(program)),
      columns_(program_, data.columns, data.rows),
      terms_(terms),
      parameterisation_(std::move(parameterisation)),
      bounds_(std::move(bounds)) {
    require(data.rows > 0, "objective: no rows");
    require(static_cast<int>(parameterisation_.source.size()) == program_.parameter_count() &&
                parameterisation_.value.size() == parameterisation_.source.size(),
            "objective: one source and one value per parameter of the program are needed");
    for (const int s : parameterisation_.source)
        require(s >= -1 && s < parameterisation_.free_count, "objective: a source does not exist");
    require(bounds_.lower.size() == dimension() && bounds_.upper.size() == dimension() &&
                bounds_.typical.size() == dimension(),
            "objective: one bound and one typical size per free parameter are needed");
    require((bounds_.lower.array() <= bounds_.upper.array()).all(),
            "objective: a lower bound is above its upper bound");
    require((bounds_.typical.array() > 0).all(), "objective: typical sizes must be positive");
    target_ = padded_copy(data.target, data.rows);
    if (data.weight)
        weight_ = padded_copy(data.weight, data.rows, 0.0);
    else
        weight_ = padded_copy(std::vector<double>(index(data.rows), 1.0).data(), data.rows, 0.0);
    if (data.sigma) {
        row_factor_ = padded_copy(data.sigma, data.rows);
        for (double& f : row_factor_) f = 1.0 / f;
    }
}

ObjectiveEvaluator::ObjectiveEvaluator(const Objective& objective)
    : objective_(objective),
      loss_(objective.terms().loss),
      weight_(nullptr),
      evaluator_(objective.program(), objective.columns()),
      columns_(static_cast<int>(objective.program().leaves().size()) +
               (objective.terms().scale_is_fitted ? 1 : 0)) {
    const auto padded = index(objective.columns().padded());
    parameters_.resize(objective.program().parameter_count());
    chain_.setZero(columns_, dimension());
    for (Buffer* b : {&u_, &slope_, &bend_, &curvature_}) b->assign(padded, 0.0);
    for (Buffer* b : {&seed_, &scale_column_}) b->assign(block, 0.0);
    gradient_.resize(index(columns_));
    bend_gram_.resize(index(columns_ * (columns_ + 1) / 2));
    curvature_gram_.resize(bend_gram_.size());
    jacobian_.resize(index(columns_));
    full_.resize(columns_, columns_);
    product_.resize(columns_, dimension());
    chain_moved_.setZero(columns_, dimension());
    point_.setZero(dimension());
    moved_.setZero(dimension());
    const int leaves = static_cast<int>(objective.program().leaves().size());
    second_gram_.resize(index(leaves * leaves));
    set_weight(nullptr);

    chain_selects_ = evaluator_.leaves_are_parameters();
    if (chain_selects_) {
        for (const int slot : objective.program().leaves())
            selected_.push_back(objective.parameterisation().source[index(slot)]);
        if (objective.terms().scale_is_fitted) selected_.push_back(dimension() - 1);
    }
    // The selection never changes, so that it is made once.
    set_parameters(point_);
    find_chain(chain_);
}

void ObjectiveEvaluator::set_weight(const double* weight) {
    weight_ = weight ? weight : objective_.weight().data();
    total_weight_ = 0.0;
    for (int i = 0; i < objective_.rows(); ++i) total_weight_ += weight_[i];
}

void ObjectiveEvaluator::set_parameters(const Vector& x) {
    const Parameterisation& p = objective_.parameterisation();
    for (int k = 0; k < parameters_.size(); ++k)
        parameters_[k] = p.source[index(k)] >= 0 ? x[p.source[index(k)]] : p.value[index(k)];
    evaluator_.set_parameters(parameters_.data());
}

// d leaf / d x: the uniform operations' derivative, tied parameters added up.
void ObjectiveEvaluator::find_chain(Matrix& chain) {
    const Parameterisation& p = objective_.parameterisation();
    const double* leaf_jacobian = evaluator_.leaf_jacobian();
    const int leaves = static_cast<int>(objective_.program().leaves().size());
    chain.setZero();
    for (int l = 0; l < leaves; ++l)
        for (int k = 0; k < parameters_.size(); ++k)
            if (p.source[index(k)] >= 0)
                chain(l, p.source[index(k)]) += leaf_jacobian[l * parameters_.size() + k];
    if (objective_.terms().scale_is_fitted) chain(columns_ - 1, dimension() - 1) = 1.0;
}

void ObjectiveEvaluator::set_point(const Vector& x) {
    point_ = x;
    set_parameters(x);
    if (!chain_selects_) find_chain(chain_);
    log_scale_ = objective_.terms().scale_is_fitted ? x[dimension() - 1] : 0.0;
    factor_ = std::exp(-log_scale_);
}

double ObjectiveEvaluator::value(const Vector& x) {
    ++evaluations_;
    set_point(x);
    const kernels::KernelTable& k = kernels::active();
    const Buffer& row_factor = objective_.row_factor();
    double total = 0.0;
    for (int b = 0; b < evaluator_.block_count(); ++b) {
        const int n = evaluator_.block_size(b), at = b * block;
        const double* z = evaluator_.forward(b);
        k.residual(n, z, objective_.target().data() + at, factor_,
                   row_factor.empty() ? nullptr : row_factor.data() + at, u_.data() + at);
        total += k.loss_value(n, &loss_, u_.data() + at, weight_ + at);
    }
    registers_are_current_ = evaluator_.block_count() == 1;
    if (objective_.terms().scale_is_fitted)
        total += total_weight_ * (log_scale_ + objective_.terms().log_normaliser);
    return std::isfinite(total) ? total : std::numeric_limits<double>::infinity();
}

void ObjectiveEvaluator::derivatives(Vector& gradient, Matrix* bend, Matrix* curvature) {
    const kernels::KernelTable& k = kernels::active();
    const Buffer& row_factor = objective_.row_factor();
    const bool scale = objective_.terms().scale_is_fitted;
    const int leaves = columns_ - (scale ? 1 : 0);
    std::fill(gradient_.begin(), gradient_.end(), 0.0);
    std::fill(bend_gram_.begin(), bend_gram_.end(), 0.0);
    std::fill(curvature_gram_.begin(), curvature_gram_.end(), 0.0);
    for (int b = 0; b < evaluator_.block_count(); ++b) {
        const int n = evaluator_.block_size(b), at = b * block;
        if (!registers_are_current_) evaluator_.forward(b);
        k.loss_slopes(n, &loss_, u_.data() + at, weight_ + at, slope_.data() + at,
                      bend ? bend_.data() + at : nullptr,
                      curvature ? curvature_.data() + at : nullptr);
        if (row_factor.empty())
            std::fill(seed_.begin(), seed_.begin() + n, factor_);
        else
            k.scale(n, factor_, row_factor.data() + at, seed_.data(), false);
        const double* const* leaf = evaluator_.reverse(b, seed_.data());
        std::copy(leaf, leaf + leaves, jacobian_.begin());
        if (scale) {
            k.scale(n, -1.0, u_.data() + at, scale_column_.data(), false);
            jacobian_[index(leaves)] = scale_column_.data();
        }
        if (!bend && !curvature)
            for (int c = 0; c < columns_; ++c)
                gradient_[index(c)] += k.dot(n, slope_.data() + at, jacobian_[index(c)]);
        if (bend)
            k.gram(n, columns_, jacobian_.data(), bend_.data() + at, bend_gram_.data(),
                   slope_.data() + at, gradient_.data());
        if (curvature)
            k.gram(n, columns_, jacobian_.data(), curvature_.data() + at, curvature_gram_.data(),
                   bend ? nullptr : slope_.data() + at, gradient_.data());
    }
    to_free(gradient_.data(), gradient);
    if (scale) gradient[dimension() - 1] += total_weight_;
    if (bend) matrix_to_free(bend_gram_.data(), *bend);
    if (curvature) matrix_to_free(curvature_gram_.data(), *curvature);
}

void ObjectiveEvaluator::second_order(Matrix& second) {
    const kernels::KernelTable& k = kernels::active();
    const Buffer& row_factor = objective_.row_factor();
    const bool scale = objective_.terms().scale_is_fitted;
    const int leaves = columns_ - (scale ? 1 : 0);
    std::fill(second_gram_.begin(), second_gram_.end(), 0.0);
    double scale_curvature = 0.0;
    for (int b = 0; b < evaluator_.block_count(); ++b) {
        const int n = evaluator_.block_size(b), at = b * block;
        if (!registers_are_current_) evaluator_.forward(b);
        if (row_factor.empty())
            k.scale(n, factor_, slope_.data() + at, seed_.data(), false);
        else
            k.multiply(n, factor_, slope_.data() + at, row_factor.data() + at, seed_.data(), false);
        evaluator_.second_order(b, seed_.data(), second_gram_.data());
        if (scale) scale_curvature += k.dot(n, slope_.data() + at, u_.data() + at);
    }
    for (int l = 0; l < leaves; ++l)
        for (int m = 0; m <= l; ++m)
            full_(l, m) = full_(m, l) =
                0.5 * (second_gram_[index(l * leaves + m)] + second_gram_[index(m * leaves + l)]);
    if (scale) {  // d2u / ds d leaf = -du / d leaf, d2u / ds2 = u
        for (int l = 0; l < leaves; ++l) full_(l, leaves) = full_(leaves, l) = -gradient_[index(l)];
        full_(leaves, leaves) = scale_curvature;
    }
    congruence(second);
    if (!evaluator_.leaves_are_parameters()) add_chain_curvature(second);
}

// The leaves' own curvature in x, sum_l g_l d2 leaf_l: no rows in it, so differences cost nothing.
void ObjectiveEvaluator::add_chain_curvature(Matrix& second) {
    const Eigen::Map<const Vector> g(gradient_.data(), columns_);
    for (int j = 0; j < objective_.parameterisation().free_count; ++j) {
        moved_ = point_;
        const double h = 1e-6 * std::max(1.0, std::fabs(point_[j]));
        moved_[j] = point_[j] + h;
        set_parameters(moved_);
        find_chain(chain_moved_);
        moved_[j] = point_[j] - h;
        set_parameters(moved_);
        find_chain(chain_);
        // Half of the derivative of the gradient goes to row j and half to column j.
        chain_moved_ -= chain_;
        moved_.noalias() = chain_moved_.transpose() * g;
        moved_ *= 0.25 / h;
        second.col(j) += moved_;
        second.row(j) += moved_.transpose();
    }
    set_parameters(point_);
    find_chain(chain_);
}

void ObjectiveEvaluator::to_free(const double* leaf_gradient, Vector& gradient) {
    // A leaf that moves no residual passes nothing on, however steep it is itself.
    for (int l = 0; l < columns_; ++l)
        if (leaf_gradient[l] == 0.0 && !chain_.row(l).allFinite()) chain_.row(l).setZero();
    gradient.resize(dimension());
    if (chain_selects_) {
        gradient.setZero();
        for (int p = 0; p < columns_; ++p)
            if (selected_[index(p)] >= 0) gradient[selected_[index(p)]] += leaf_gradient[p];
        return;
    }
    gradient.noalias() = chain_.transpose() * Eigen::Map<const Vector>(leaf_gradient, columns_);
}

void ObjectiveEvaluator::matrix_to_free(const double* gram, Matrix& matrix) {
    for (int p = 0; p < columns_; ++p)
        for (int q = 0; q <= p; ++q) full_(p, q) = full_(q, p) = gram[p * (p + 1) / 2 + q];
    congruence(matrix);
}

// matrix = chain' full chain. Where every leaf is one free parameter that is a sum over few entries.
void ObjectiveEvaluator::congruence(Matrix& matrix) {
    matrix.resize(dimension(), dimension());
    if (chain_selects_) {
        matrix.setZero();
        for (int q = 0; q < columns_; ++q)
            for (int p = 0; p < columns_; ++p)
                if (selected_[index(p)] >= 0 && selected_[index(q)] >= 0)
                    matrix(selected_[index(p)], selected_[index(q)]) += full_(p, q);
        return;
    }
    // Small and possibly empty products: lazy evaluation avoids the allocation of a blocked one.
    product_ = full_.lazyProduct(chain_);
    matrix = chain_.transpose().lazyProduct(product_);
}

double ObjectiveEvaluator::rounding_floor() {
    const kernels::KernelTable& k = kernels::active();
    const Buffer& row_factor = objective_.row_factor();
    double total = 0.0;
    for (int b = 0; b < evaluator_.block_count(); ++b) {
        const int n = evaluator_.block_size(b), at = b * block;
        for (int i = 0; i < n; ++i) {
            const double f = row_factor.empty() ? 1.0 : row_factor[index(at + i)];
            seed_[index(i)] = 4.4e-16 * std::fabs(objective_.target()[index(at + i)]) * f;
        }
        total += k.loss_value(n, &loss_, seed_.data(), weight_ + at);
    }
    return total;
}

}  // namespace lawfit
