#include <lawfit/search/levels.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>

#include <lawfit/kernels.hpp>
#include <lawfit/objective/objective_evaluator.hpp>
#include <lawfit/search/multistart.hpp>

#include "index.hpp"

namespace lawfit {
namespace {

constexpr double least_share = 0.01;
constexpr double rounding = 1e-14;  // of shares of 1
constexpr double ridge = 1e-9;      // well above the rounding of a Gram matrix
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
            const double rest = rest_[r] > rounding ? rest_[r] : 0.0;
            rest_[r] = i < block.rows ? 1.0 - rest * ratio_[r] : 0.0;
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
    for (int l = 0; l < levels; ++l)  // terms that are proportional to each other share evenly
        matrix_.values()[matrix_.pattern()->begin(l)] *= 1.0 + ridge;
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

namespace {

// Calls visit(point, own) for each point, with what its thread owns; each thread makes its own.
template <class Own, class Visit>
void for_each_point(const Objective& objective, double* points, long count, int threads,
                    Monitor& monitor, Visit visit) {
    const int p = objective.dimension();
    std::vector<std::unique_ptr<Own>> owned(
        static_cast<std::size_t>(std::min<long>(thread_count(threads), std::max(count, 1L))));
    parallel_for(count, static_cast<int>(owned.size()), monitor, [&](long task, int worker) {
        auto& own = owned[index(worker)];
        if (!own) own = std::make_unique<Own>(objective);
        visit(task, Eigen::Map<Vector>(points + task * p, p), *own);
    });
}

// Compares points by F before and after their levels are chosen.
class Chooser {
public:
    explicit Chooser(const Objective& objective)
        : objective_(objective),
          levels_(objective),
          evaluator_(objective),
          has_scale_(objective.terms().scale_is_fitted) {}

    // True where moved() is another point and F is less there.
    bool improves(const Vector& point) {
        moved_ = point;
        levels_.choose(moved_);
        if (moved_ == point) return false;
        round(point);
        const double before = value(point), after = value(moved_);
        return std::isfinite(after) && !(before <= after);
    }
    const Vector& moved() const { return moved_; }

private:
    // So that starts with the same exponents are mostly the same to the bit: many given starts are.
    void round(const Vector& point) {
        const Objective::Bounds& bounds = objective_.bounds();
        for (Eigen::Index i = 0; i < point.size(); ++i)
            if (moved_[i] != point[i])
                moved_[i] = std::clamp(std::round(moved_[i] * steps_per_unit) / steps_per_unit,
                                       bounds.lower[i], bounds.upper[i]);
    }

    // A scale that is still to be found is 1 here.
    double value(const Vector& point) {
        at_ = point;
        if (has_scale_ && std::isnan(at_[at_.size() - 1])) at_[at_.size() - 1] = 0.0;
        return evaluator_.value(at_);
    }

    static constexpr double steps_per_unit = 1024.0;  // of a logarithm: a tenth of a percent

    const Objective& objective_;
    Levels levels_;
    ObjectiveEvaluator evaluator_;
    bool has_scale_;
    Vector moved_, at_;
};

}  // namespace

std::vector<double> screen(const Objective& objective, double* points, long count, int threads,
                           Monitor& monitor) {
    if (!Levels(objective).exist()) return values_at(objective, points, count, threads, monitor);
    std::vector<double> found(static_cast<std::size_t>(count), NAN);
    for_each_point<Levels>(objective, points, count, threads, monitor,
                           [&](long task, Eigen::Map<Vector> point, Levels& levels) {
                               Vector x = point;
                               found[static_cast<std::size_t>(task)] = levels.choose(x);
                               point = x;
                           });
    return found;
}

void choose_levels(const Objective& objective, double* points, long count, int threads,
                   Monitor& monitor) {
    if (!Levels(objective).exist()) return;
    for_each_point<Chooser>(objective, points, count, threads, monitor,
                            [&](long, Eigen::Map<Vector> point, Chooser& chooser) {
                                if (chooser.improves(point)) point = chooser.moved();
                            });
}

}  // namespace lawfit
