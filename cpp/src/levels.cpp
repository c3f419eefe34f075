#include <lawfit/search/levels.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>

#include <lawfit/kernels.hpp>
#include <lawfit/search/multistart.hpp>

#include "index.hpp"

namespace lawfit {
namespace {

constexpr double least_share = 0.01;
constexpr double infinity = std::numeric_limits<double>::infinity();

std::vector<int> levels_of(const Objective& objective, const Evaluator& evaluator) {
    std::vector<int> found;
    if (objective.layout().segment_count() > 1 || !objective.side().empty() ||
        !objective.leaves_are_parameters())
        return found;
    const int* coordinate = objective.coordinates(0);
    for (const int leaf : evaluator.offset_leaves()) {
        const int i = coordinate[leaf];
        if (i >= 0 && std::count(coordinate, coordinate + objective.local_count(), i) == 1)
            found.push_back(leaf);
    }
    return found;
}

}  // namespace

Levels::Levels(const Objective& objective)
    : objective_(objective),
      evaluator_(objective.program(), objective.columns()),
      leaf_(levels_of(objective, evaluator_)),
      parameters_(index(objective.program().parameter_count())),
      term_sum_(leaf_.size()),
      matrix_(std::make_shared<SymmetricPattern>(static_cast<int>(leaf_.size()))),
      box_(matrix_.pattern()) {
    const auto n = static_cast<Eigen::Index>(leaf_.size());
    const auto rows = index(objective.layout().largest_block());
    ratio_.resize(rows);
    rest_.resize(rows);
    if (!exist()) return;
    weight_.assign(index(objective.layout().padded()), 0.0);
    for (const RowLayout::Block& block : objective.layout().blocks())
        for (int i = block.begin; i < block.begin + block.rows; ++i) {
            const double f =
                objective.row_factor().empty() ? 1.0 : objective.row_factor()[index(i)];
            weight_[index(i)] =
                (objective.weight().empty() ? 1.0 : objective.weight()[index(i)]) * f * f;
            total_weight_ += weight_[index(i)];
        }
    term_.assign(leaf_.size(), Buffer(rows));
    for (const Buffer& t : term_) terms_.push_back(t.data());
    gram_.resize(leaf_.size() * (leaf_.size() + 1) / 2);
    product_sum_.resize(leaf_.size());
    slope_.resize(n);
    coefficient_.resize(n);
    lower_.setZero(n);
    upper_.setConstant(n, infinity);
}

double Levels::choose(Vector& x) {
    const kernels::KernelTable& k = kernels::active();
    const auto exp = k.unary_forward[static_cast<int>(Opcode::exp_)];
    const int levels = static_cast<int>(leaf_.size());
    objective_.parameterisation().find(x, 0, objective_.program().parameter_count(),
                                       parameters_.data());
    evaluator_.set_parameters(parameters_.data());
    double nothing = 0.0;  // the sum without any level
    for (auto* sums : {&gram_, &product_sum_, &term_sum_})
        std::fill(sums->begin(), sums->end(), 0.0);
    for (int b = 0; b < evaluator_.block_count(); ++b) {
        const RowLayout::Block& block = objective_.layout().blocks()[index(b)];
        const int n = block.size;
        evaluator_.residuals(b, {objective_.target().data() + block.begin, 1.0, nullptr},
                             rest_.data());
        exp(n, rest_.data(), ratio_.data());
        std::fill(ratio_.begin() + block.rows, ratio_.begin() + n, 0.0);
        const double* const* share = evaluator_.reverse(b, nullptr);
        std::fill_n(rest_.begin(), n, 1.0);  // the shares of other terms, then what they leave of 1
        for (int l = 0; l < levels; ++l) {
            k.multiply(n, 1.0, share[leaf_[index(l)]], ratio_.data(), term_[index(l)].data(),
                       false);
            k.scale(n, -1.0, share[leaf_[index(l)]], rest_.data(), true);
        }
        for (int i = 0; i < n; ++i) {
            const auto r = index(i);
            rest_[r] = i < block.rows ? 1.0 - std::max(rest_[r], 0.0) * ratio_[r] : 0.0;
        }
        const double* w = weight_.data() + block.begin;
        k.multiply(n, 1.0, w, rest_.data(), ratio_.data(), false);
        nothing += k.dot(n, ratio_.data(), rest_.data());
        k.gram(n, levels, terms_.data(), w, gram_.data(), ratio_.data(), product_sum_.data());
        for (int l = 0; l < levels; ++l) term_sum_[index(l)] += k.dot(n, w, terms_[index(l)]);
    }
    for (int l = 0; l < levels; ++l) {
        slope_[l] = -product_sum_[index(l)];
        for (int m = l; m < levels; ++m)
            matrix_.values()[matrix_.pattern()->find(m, l)] = gram_[index(m * (m + 1) / 2 + l)];
    }
    for (int l = 0; l < levels; ++l)  // terms may be proportional to each other
        matrix_.values()[matrix_.pattern()->begin(l)] *= 1.0 + 1e-12;
    // In units of the present terms.
    if (!box_.solve(matrix_, slope_, lower_, upper_, coefficient_)) return infinity;
    const double least = 0.5 * (nothing + slope_.dot(coefficient_));
    if (!std::isfinite(least)) return infinity;
    for (int l = 0; l < levels; ++l) {
        const double floor = least_share * total_weight_ / term_sum_[index(l)];
        const double moved = std::log(std::max(coefficient_[l], floor));
        const int i = objective_.coordinates(0)[leaf_[index(l)]];
        if (std::isfinite(moved))
            x[i] = std::clamp(x[i] + moved, objective_.bounds().lower[i],
                              objective_.bounds().upper[i]);
    }
    return least;
}

std::vector<double> screen(const Objective& objective, double* points, long count, int threads,
                           Monitor& monitor) {
    std::vector<std::unique_ptr<Levels>> levels;  // of each thread
    levels.push_back(std::make_unique<Levels>(objective));
    if (!levels[0]->exist()) return values_at(objective, points, count, threads, monitor);
    const int p = objective.dimension();
    std::vector<double> found(static_cast<std::size_t>(count), NAN);
    levels.resize(
        static_cast<std::size_t>(std::min<long>(thread_count(threads), std::max(count, 1L))));
    parallel_for(count, static_cast<int>(levels.size()), monitor, [&](long task, int worker) {
        auto& own = levels[index(worker)];
        if (!own) own = std::make_unique<Levels>(objective);
        Eigen::Map<Vector> point(points + task * p, p);
        Vector x = point;
        found[static_cast<std::size_t>(task)] = own->choose(x);
        point = x;
    });
    return found;
}

}  // namespace lawfit
