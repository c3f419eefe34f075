#include <lawfit/objective/objective_evaluator.hpp>

#include <algorithm>
#include <cmath>
#include <limits>

#include "objective_lane.hpp"
#include "tail.hpp"

namespace lawfit {

ObjectiveEvaluator::ObjectiveEvaluator(const Objective& objective, int threads,
                                       Interrupt* interrupt)
    : objective_(objective),
      loss_(objective.terms().loss),
      monitor_(interrupt ? Monitor::Poll([interrupt](long) { return !interrupt->requested(); })
                         : Monitor::Poll(),
               Monitor::Period(5)) {
    point_.setZero(dimension());
    ones_.assign(index(objective.layout().largest_block() + kernels::row_multiple), 0.0);
    std::fill(ones_.begin(), ones_.end() - kernels::row_multiple, 1.0);
    const int lanes = std::max(1, std::min(threads, objective.task_count()));
    for (int i = 0; i < lanes; ++i) lanes_.push_back(std::make_unique<Lane>(objective));
    const auto chunks = objective.chunks().size();
    values_.resize(chunks);
    gradients_.resize(chunks * index(objective.local_count()));
    bends_.resize(chunks * index(objective.packed_count()));
    curvatures_.resize(bends_.size());
    set_weight(nullptr);
    set_target(nullptr);
}

ObjectiveEvaluator::~ObjectiveEvaluator() = default;

// The sum of term(lane, block) over all blocks.
template <class Term>
double ObjectiveEvaluator::sum_over_blocks(Term term) {
    for_each_chunk([&](Lane& lane, int c) {
        const Objective::Chunk& chunk = objective_.chunks()[index(c)];
        double total = 0.0;
        for (int b = chunk.begin; b < chunk.end; ++b) total += term(lane, b);
        values_[index(c)] = total;
    });
    double total = 0.0;
    for (const double v : values_) total += v;
    return total;
}

void ObjectiveEvaluator::set_weight(const double* weight) {
    const Buffer& own = objective_.weight();
    weight_ = weight ? weight : (own.empty() ? nullptr : own.data());
    bent_ = false;
    find_weightless();
    const Buffer& side = objective_.side();
    total_weight_ = objective_.rows();
    if (!weight_ && side.empty()) return;
    total_weight_ = 0.0;
    for (const RowLayout::Block& block : objective_.layout().blocks()) {
        const double* w = weights_of(block, weight_);
        for (int i = 0; i < block.size; ++i)
            if (side.empty() || side[index(block.begin + i)] == 0.0) total_weight_ += w[i];
    }
}

// Weights of a block, (size,), zero in the padding.
const double* ObjectiveEvaluator::weights_of(const RowLayout::Block& block,
                                             const double* weight) const {
    return weight ? weight + block.begin
                  : ones_.data() + ones_.size() - kernels::row_multiple - block.rows;
}

void ObjectiveEvaluator::find_weightless() {
    weightless_.clear();
    const RowLayout& layout = objective_.layout();
    if (layout.segment_count() == 1) return;
    std::vector<char> has_weight(index(dimension()), 0);
    for (const Objective::Penalty& penalty : objective_.penalties())
        for (const int i : penalty.index) has_weight[index(i)] = 1;
    for (const RowLayout::Block& block : layout.blocks()) {
        const double* w = weights_of(block, weight_);
        if (!std::any_of(w, w + block.size, [](double x) { return x > 0.0; })) continue;
        const int* coordinate = objective_.coordinates(block.segment);
        for (int p = 0; p < objective_.local_count(); ++p)
            if (coordinate[p] >= 0) has_weight[index(coordinate[p])] = 1;
    }
    for (int i = 0; i < dimension(); ++i)
        if (!has_weight[index(i)]) weightless_.push_back(i);
}

// The weights with 0 for the censored rows whose loss does not count; residuals must be there.
const double* ObjectiveEvaluator::counted(Lane& lane, const RowLayout::Block& block,
                                          const double* weight) const {
    const double* w = weights_of(block, weight);
    if (objective_.side().empty()) return w;
    const double* side = objective_.side().data() + block.begin;
    const bool tails = has_tails();
    for (int i = 0; i < block.size; ++i)
        lane.counted[index(i)] =
            side[i] == 0.0 || (!tails && side[i] * lane.u[index(i)] < 0.0) ? w[i] : 0.0;
    return lane.counted.data();
}

bool ObjectiveEvaluator::has_tails() const {
    return objective_.terms().scale_is_fitted && !objective_.side().empty();
}

// The terms of the censored rows under a fitted scale.
double ObjectiveEvaluator::tail_sum() {
    const Tail tail(loss_);
    return sum_over_blocks([&](Lane& lane, int b) {
        const RowLayout::Block& block = objective_.layout().blocks()[index(b)];
        bring_residuals(lane, b);
        const double* side = objective_.side().data() + block.begin;
        const double* w = weights_of(block, weight_);
        double total = 0.0;
        for (int i = 0; i < block.size; ++i)
            if (side[i] != 0.0 && w[i] != 0.0)
                total += w[i] * tail.at(lane.u[index(i)], side[i]).value;
        return total;
    });
}

// Slopes of the loss in a block, in lane.slope, and what else is not null, but for what is still there.
// Returns the loss where bend is found, without tails.
double ObjectiveEvaluator::slopes(Lane& lane, const RowLayout::Block& block, double* bend,
                                  double* curvature) {
    if (bent_ && !curvature) return 0.0;
    double* slope = bent_ ? nullptr : lane.slope.data();
    if (bent_) bend = nullptr;
    const double value = kernels::active().loss_slopes(
        block.size, &loss_, lane.u.data(), counted(lane, block, weight_), slope, bend, curvature);
    if (!has_tails()) return value;
    const Tail tail(loss_);
    const double* side = objective_.side().data() + block.begin;
    const double* w = weights_of(block, weight_);
    for (int i = 0; i < block.size; ++i) {
        if (side[i] == 0.0) continue;
        Tail::Term t;
        if (w[i] != 0.0) t = tail.at(lane.u[index(i)], side[i]);
        if (slope) slope[i] = w[i] * t.slope;
        if (bend) bend[i] = t.value > 0.0 ? w[i] * t.slope * t.slope / (2.0 * t.value) : 0.0;
        if (curvature) curvature[i] = w[i] * t.curvature;
    }
    return value;
}

void ObjectiveEvaluator::set_point(const Vector& x) {
    point_ = x;
    for (auto& lane : lanes_) lane->segment = lane->block = -1;
    bent_ = false;
    log_scale_ = objective_.terms().scale_is_fitted ? x[dimension() - 1] : 0.0;
    factor_ = log_scale_ == 0.0 ? 1.0 : std::exp(-log_scale_);
}

// Gives the lane the parameters of a segment.
void ObjectiveEvaluator::enter(Lane& lane, int segment) {
    if (lane.segment == segment) return;
    lane.segment = segment;
    objective_.parameterisation().find(point_, segment, static_cast<int>(lane.parameters.size()),
                                       lane.parameters.data());
    lane.evaluator.set_parameters(lane.parameters.data());
}

// Makes the registers and residuals those of a block.
void ObjectiveEvaluator::bring_residuals(Lane& lane, int b) {
    if (lane.block == b) return;
    const RowLayout::Block& block = objective_.layout().blocks()[index(b)];
    const Buffer& row_factor = objective_.row_factor();
    enter(lane, block.segment);
    lane.evaluator.residuals(b,
                             {target_ + block.begin, factor_,
                              row_factor.empty() ? nullptr : row_factor.data() + block.begin},
                             lane.u.data());
    lane.block = b;
}

double ObjectiveEvaluator::value(const Vector& x) {
    ++evaluations_;
    set_point(x);
    double total = 0.0;
    if (objective_.layout().blocks().size() == 1) {
        // Slopes cost little more, and they are still there when derivatives are asked for.
        Lane& lane = *lanes_[0];
        bring_residuals(lane, 0);
        total = slopes(lane, objective_.layout().blocks()[0], lane.bend.data(), nullptr);
        bent_ = true;
    } else {
        total = residual_sum(loss_, true);
    }
    if (has_tails()) total += tail_sum();
    if (objective_.terms().scale_is_fitted)
        total += total_weight_ * (log_scale_ + objective_.terms().log_normaliser);
    for (const Objective::Penalty& penalty : objective_.penalties()) {
        const double r = penalty.residual(x);
        total += 0.5 * r * r;
    }
    return std::isfinite(total) && !stopped_ ? total : std::numeric_limits<double>::infinity();
}

double ObjectiveEvaluator::residual_sum(const LossSpec& loss, bool weighted) {
    return sum_over_blocks([&](Lane& lane, int b) {
        const RowLayout::Block& block = objective_.layout().blocks()[index(b)];
        bring_residuals(lane, b);
        return kernels::active().loss_value(block.size, &loss, lane.u.data(),
                                            counted(lane, block, weighted ? weight_ : nullptr));
    });
}

void ObjectiveEvaluator::residuals(double* out) {
    Lane& lane = *lanes_[0];
    const auto& blocks = objective_.layout().blocks();
    for (int b = 0; b < static_cast<int>(blocks.size()); ++b) {
        bring_residuals(lane, b);
        kernels::active().scale(blocks[index(b)].size, 1.0 / factor_, lane.u.data(),
                                out + blocks[index(b)].begin, false);
    }
}

double ObjectiveEvaluator::rounding_floor() {
    const Buffer& row_factor = objective_.row_factor();
    return sum_over_blocks([&](Lane& lane, int b) {
        const RowLayout::Block& block = objective_.layout().blocks()[index(b)];
        for (int i = 0; i < block.size; ++i) {
            const auto place = index(block.begin + i);
            const double f = row_factor.empty() ? 1.0 : row_factor[place];
            lane.seed[index(i)] = 4.4e-16 * std::fabs(target_[place]) * f;
        }
        return kernels::active().loss_value(block.size, &loss_, lane.seed.data(),
                                            weights_of(block, weight_));
    });
}

}  // namespace lawfit
