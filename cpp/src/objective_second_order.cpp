// The second-order part of an objective's Hessian, and that of leaves that are functions of parameters.
#include <algorithm>
#include <cmath>

#include "objective_lane.hpp"

namespace lawfit {

void ObjectiveEvaluator::second_order(SymmetricMatrix& second) {
    for_each_chunk([&](Lane& lane, int c) { add_second_order(lane, c); });
    scatter(bends_, second);
}

void ObjectiveEvaluator::add_second_order(Lane& lane, int c) {
    const kernels::KernelTable& k = kernels::active();
    const Objective::Chunk& chunk = objective_.chunks()[index(c)];
    const Buffer& row_factor = objective_.row_factor();
    const int leaves = lane.leaves;
    const bool direct = objective_.leaves_are_parameters();
    const bool scale = objective_.terms().scale_is_fitted;
    std::fill(lane.leaf_gradient.begin(), lane.leaf_gradient.end(), 0.0);
    std::fill(lane.second_gram.begin(), lane.second_gram.end(), 0.0);
    double scale_curvature = 0.0;
    for (int b = chunk.begin; b < chunk.end; ++b) {
        const RowLayout::Block& block = objective_.layout().blocks()[index(b)];
        const int n = block.size;
        bring_residuals(lane, b);
        slopes(lane, block, nullptr, nullptr);
        if (row_factor.empty())
            k.scale(n, factor_, lane.slope.data(), lane.seed.data(), false);
        else
            k.multiply(n, factor_, lane.slope.data(), row_factor.data() + block.begin,
                       lane.seed.data(), false);
        if (scale) scale_curvature += k.dot(n, lane.slope.data(), lane.u.data());
        lane.evaluator.second_order(b, lane.seed.data(), lane.second_gram.data(),
                                    scale || !direct ? lane.leaf_gradient.data() : nullptr);
    }
    for (int l = 0; l < leaves; ++l)
        for (int m = 0; m <= l; ++m)
            lane.full(l, m) = lane.full(m, l) = 0.5 * (lane.second_gram[index(l * leaves + m)] +
                                                       lane.second_gram[index(m * leaves + l)]);
    if (scale) {  // d2u / ds d leaf = -du / d leaf, d2u / ds2 = u
        for (int l = 0; l < leaves; ++l)
            lane.full(l, leaves) = lane.full(leaves, l) = -lane.leaf_gradient[index(l)];
        lane.full(leaves, leaves) = scale_curvature;
    }
    double* out = bends_.data() + offset(c, objective_.packed_count());
    if (direct) {
        pack(lane.full, out);
        return;
    }
    lane.find_chain(lane.chain);
    lane.drop_still_leaves();
    lane.congruence();
    add_chain_curvature(lane, chunk.segment);
    pack(lane.local_matrix, out);
}

// The leaves' own curvature in the parameters, sum_l g_l d2 leaf_l: no rows in it, so differences
// cost nothing.
void ObjectiveEvaluator::add_chain_curvature(Lane& lane, int segment) {
    const int* coordinate = objective_.coordinates(segment);
    for (int k = 0; k < static_cast<int>(lane.parameters.size()); ++k) {
        if (coordinate[k] < 0) continue;
        const double at = lane.parameters[k];
        const double h = 1e-6 * std::max(1.0, std::fabs(at));
        lane.parameters[k] = at + h;
        lane.evaluator.set_parameters(lane.parameters.data());
        lane.find_chain(lane.chain_moved);
        lane.parameters[k] = at - h;
        lane.evaluator.set_parameters(lane.parameters.data());
        lane.find_chain(lane.chain);
        lane.parameters[k] = at;
        // Half of the derivative of the gradient goes to row k and half to column k.
        for (Eigen::Index i = 0; i < lane.chain.size(); ++i)
            lane.chain_moved.data()[i] -= lane.chain.data()[i];
        lane.multiply_transposed(lane.chain_moved, lane.leaf_gradient.data());
        for (Eigen::Index i = 0; i < lane.local_gradient.size(); ++i) {
            const double change = lane.local_gradient[i] * (0.25 / h);
            lane.local_matrix(i, k) += change;
            lane.local_matrix(k, i) += change;
        }
    }
    lane.evaluator.set_parameters(lane.parameters.data());
}

}  // namespace lawfit
