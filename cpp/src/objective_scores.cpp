// The gradient of each row's share of an objective.
#include <algorithm>

#include "objective_lane.hpp"

namespace lawfit {

void ObjectiveEvaluator::add_scores(const int* row_of, Matrix& scores) {
    const kernels::KernelTable& k = kernels::active();
    const Buffer& row_factor = objective_.row_factor();
    const bool direct = objective_.leaves_are_parameters();
    const bool scale = objective_.terms().scale_is_fitted;
    const int local = objective_.local_count() - (scale ? 1 : 0);
    Lane& lane = *lanes_[0];
    const auto& blocks = objective_.layout().blocks();
    for (int b = 0; b < static_cast<int>(blocks.size()); ++b) {
        const RowLayout::Block& block = blocks[index(b)];
        const double* weight = weights_of(block, weight_);
        bring_residuals(lane, b);
        bent_ = false;
        k.loss_slopes(block.size, &loss_, lane.u.data(), weight, lane.slope.data(), nullptr,
                      nullptr);
        if (row_factor.empty())
            std::fill_n(lane.seed.begin(), block.size, factor_);
        else
            k.scale(block.size, factor_, row_factor.data() + block.begin, lane.seed.data(), false);
        const double* const* leaf = lane.evaluator.reverse(b, lane.seed.data());
        if (!direct) lane.find_chain(lane.chain);
        const int* coordinate = objective_.coordinates(block.segment);
        for (int i = 0; i < block.rows; ++i) {
            if (weight[i] == 0.0) continue;
            const double slope = lane.slope[index(i)];
            auto row = scores.row(row_of[block.begin + i]);
            for (int c = 0; c < local; ++c) {
                if (coordinate[c] < 0) continue;
                double d = 0.0;
                if (direct)
                    d = leaf[c][i];
                else
                    for (int l = 0; l < lane.leaves; ++l)
                        if (leaf[l][i] != 0.0) d += leaf[l][i] * lane.chain(l, c);
                if (d != 0.0) row[coordinate[c]] += slope * d;
            }
            if (scale) row[dimension() - 1] += weight[i] - slope * lane.u[index(i)];
        }
    }
}

}  // namespace lawfit
