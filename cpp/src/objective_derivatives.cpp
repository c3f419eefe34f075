// Gradient and first-order matrices of an objective: sums of chunks, added in the coordinates.
#include <algorithm>
#include <tuple>
#include <utility>

#include "objective_lane.hpp"

namespace lawfit {

void ObjectiveEvaluator::derivatives(Vector& gradient, SymmetricMatrix* bend,
                                     SymmetricMatrix* curvature) {
    sum_derivatives(gradient, bend, curvature, false);
}

void ObjectiveEvaluator::hessian(Vector& gradient, SymmetricMatrix& hessian,
                                 SymmetricMatrix& scratch) {
    const bool one_pass = lanes_[0]->evaluator.has_term_curvature() && unit_seeds() &&
                          objective_.leaves_are_parameters() && !objective_.terms().scale_is_fitted;
    sum_derivatives(gradient, nullptr, &hessian, one_pass);
    if (one_pass) return;
    second_order(scratch);
    hessian += scratch;
}

// Whether the residuals move with the value one to one.
bool ObjectiveEvaluator::unit_seeds() const {
    return factor_ == 1.0 && objective_.row_factor().empty();
}

// exact: with the second-order part in `curvature`.
void ObjectiveEvaluator::sum_derivatives(Vector& gradient, SymmetricMatrix* bend,
                                         SymmetricMatrix* curvature, bool exact) {
    for_each_chunk([&](Lane& lane, int c) {
        add_derivatives(lane, c, bend != nullptr, curvature != nullptr, exact);
    });
    gradient.setZero(dimension());
    const int local = objective_.local_count();
    const double* g = gradients_.data();
    for (const Objective::Chunk& chunk : objective_.chunks()) {
        const int* coordinate = objective_.coordinates(chunk.segment);
        for (int p = 0; p < local; ++p)
            if (coordinate[p] >= 0) gradient[coordinate[p]] += g[p];
        g += local;
    }
    if (objective_.terms().scale_is_fitted) gradient[dimension() - 1] += total_weight_;
    add_penalties(&gradient, nullptr);
    for (const auto& [matrix, packed] :
         {std::pair(bend, &bends_), std::pair(curvature, &curvatures_)}) {
        if (!matrix) continue;
        scatter(*packed, *matrix);
        add_penalties(nullptr, matrix);
        for (const int i : weightless_) {
            const double typical = objective_.bounds().typical[i];
            matrix->values()[objective_.pattern()->begin(i)] += 1.0 / (typical * typical);
        }
    }
}

void ObjectiveEvaluator::add_derivatives(Lane& lane, int c, bool bend, bool curvature, bool exact) {
    const kernels::KernelTable& k = kernels::active();
    const Objective::Chunk& chunk = objective_.chunks()[index(c)];
    const Buffer& row_factor = objective_.row_factor();
    const int columns = static_cast<int>(lane.jacobian.size());
    const int local = objective_.local_count();
    double* out_gradient = gradients_.data() + offset(c, local);
    double* out_bend = bends_.data() + offset(c, objective_.packed_count());
    double* out_curvature = curvatures_.data() + offset(c, objective_.packed_count());
    // Where leaves are parameters their sums are the chunk's.
    const bool direct = objective_.leaves_are_parameters();
    double* leaf_gradient = direct ? out_gradient : lane.leaf_gradient.data();
    double* leaf_bend = direct ? out_bend : lane.leaf_bend.data();
    double* leaf_curvature = direct ? out_curvature : lane.leaf_curvature.data();
    const int entries = columns * (columns + 1) / 2;
    std::fill_n(leaf_gradient, columns, 0.0);
    if (bend) std::fill_n(leaf_bend, entries, 0.0);
    if (curvature) std::fill_n(leaf_curvature, entries, 0.0);
    if (exact) std::fill(lane.second_gram.begin(), lane.second_gram.end(), 0.0);
    for (int b = chunk.begin; b < chunk.end; ++b) {
        const RowLayout::Block& block = objective_.layout().blocks()[index(b)];
        const int n = block.size;
        bring_residuals(lane, b);
        slopes(lane, block, bend ? lane.bend.data() : nullptr,
               curvature ? lane.curvature.data() : nullptr);
        if (exact) {
            lane.evaluator.add_term_curvature(b, lane.slope.data(), lane.second_gram.data());
            k.scale(n, -1.0, lane.slope.data(), lane.curvature.data(), true);
        }
        if (!row_factor.empty())
            k.scale(n, factor_, row_factor.data() + block.begin, lane.seed.data(), false);
        else if (factor_ != 1.0)
            std::fill_n(lane.seed.begin(), n, factor_);
        const double* const* leaf =
            lane.evaluator.reverse(b, unit_seeds() ? nullptr : lane.seed.data());
        std::copy(leaf, leaf + lane.leaves, lane.jacobian.begin());
        if (columns > lane.leaves) {
            k.scale(n, -1.0, lane.u.data(), lane.scale_column.data(), false);
            lane.jacobian[index(lane.leaves)] = lane.scale_column.data();
        }
        const double* slope = lane.slope.data();  // null once the gradient has it
        for (const auto& [wanted, weight, gram] :
             {std::tuple(bend, &lane.bend, leaf_bend),
              std::tuple(curvature, &lane.curvature, leaf_curvature)}) {
            if (!wanted) continue;
            k.gram(n, columns, lane.jacobian.data(), weight->data(), gram, slope, leaf_gradient);
            slope = nullptr;
        }
        for (int j = 0; slope && j < columns; ++j)
            leaf_gradient[j] += k.dot(n, slope, lane.jacobian[index(j)]);
    }
    for (int l = 0; exact && l < lane.leaves; ++l)
        for (int m = 0; m <= l; ++m)
            leaf_curvature[l * (l + 1) / 2 + m] += lane.second_gram[index(l * lane.leaves + m)];
    if (direct) return;
    lane.find_chain(lane.chain);
    lane.drop_still_leaves();
    lane.multiply_transposed(lane.chain, leaf_gradient);
    std::copy_n(lane.local_gradient.data(), local, out_gradient);
    for (const auto& [wanted, from, to] : {std::tuple(bend, leaf_bend, out_bend),
                                           std::tuple(curvature, leaf_curvature, out_curvature)}) {
        if (!wanted) continue;
        for (int p = 0; p < columns; ++p)
            for (int q = 0; q <= p; ++q)
                lane.full(p, q) = lane.full(q, p) = from[p * (p + 1) / 2 + q];
        lane.congruence();
        pack(lane.local_matrix, to);
    }
}

// Adds the derivatives of the penalties at the point; their second derivatives do not move.
void ObjectiveEvaluator::add_penalties(Vector* gradient, SymmetricMatrix* matrix) const {
    for (const Objective::Penalty& penalty : objective_.penalties()) {
        const double r = penalty.residual(point_);
        for (std::size_t p = 0; p < penalty.index.size(); ++p) {
            const int i = penalty.index[p];
            if (gradient) (*gradient)[i] += r * penalty.coefficient[p];
            for (std::size_t q = 0; matrix && q < penalty.index.size(); ++q)
                if (penalty.index[q] <= i)
                    matrix->values()[objective_.pattern()->find(i, penalty.index[q])] +=
                        penalty.coefficient[p] * penalty.coefficient[q];
        }
    }
}

// Adds up the chunks' matrices, each in the coordinates of its segment.
void ObjectiveEvaluator::scatter(const std::vector<double>& packed, SymmetricMatrix& matrix) const {
    Vector& values = matrix.values();
    values.setZero();
    const int local = objective_.local_count();
    const double* value = packed.data();
    for (const Objective::Chunk& chunk : objective_.chunks()) {
        const int* coordinate = objective_.coordinates(chunk.segment);
        const int* entry = objective_.entries(chunk.segment);
        if (!objective_.has_ties()) {
            const int count = objective_.packed_count();
            for (int e = 0; e < count; ++e)
                if (entry[e] >= 0) values[entry[e]] += value[e];
            value += count;
            continue;
        }
        for (int p = 0; p < local; ++p)
            for (int q = 0; q <= p; ++q, ++entry, ++value) {
                if (*entry < 0) continue;
                // Tied parameters meet on the diagonal, from both triangles.
                const bool both = p != q && coordinate[p] == coordinate[q];
                values[*entry] += both ? 2.0 * *value : *value;
            }
    }
}

}  // namespace lawfit
