// What one thread works with while it goes through the chunks of an objective.
#pragma once

#include <cmath>
#include <vector>

#include <lawfit/expression/evaluator.hpp>
#include <lawfit/objective/objective_evaluator.hpp>

#include "index.hpp"

namespace lawfit {

// The lower triangle by rows.
inline void pack(const Matrix& symmetric, double* out) {
    for (Eigen::Index p = 0; p < symmetric.rows(); ++p)
        for (Eigen::Index q = 0; q <= p; ++q) *out++ = symmetric(p, q);
}

struct ObjectiveEvaluator::Lane {
    explicit Lane(const Objective& objective)
        : evaluator(objective.program(), objective.columns()),
          leaves(static_cast<int>(objective.program().leaves().size())) {
        const bool scale = objective.terms().scale_is_fitted;
        const int columns = leaves + (scale ? 1 : 0), local = objective.local_count();
        parameters.setZero(objective.program().parameter_count());
        for (Buffer* b : {&u, &slope, &bend, &curvature, &seed, &scale_column, &counted})
            b->assign(index(objective.layout().largest_block()), 0.0);
        jacobian.resize(index(columns));
        leaf_gradient.resize(index(columns));
        leaf_bend.resize(index(columns * (columns + 1) / 2));
        leaf_curvature.resize(leaf_bend.size());
        second_gram.resize(index(leaves * leaves));
        full.setZero(columns, columns);
        if (objective.leaves_are_parameters()) return;
        chain.setZero(columns, local);
        chain_moved.setZero(columns, local);
        product.setZero(columns, local);
        local_matrix.setZero(local, local);
        local_gradient.setZero(local);
    }

    // d leaf / d parameter at the evaluator's parameters; a fitted scale is its own leaf.
    void find_chain(Matrix& out) {
        const int count = static_cast<int>(parameters.size());
        const double* leaf_jacobian = evaluator.leaf_jacobian();
        for (int l = 0; l < leaves; ++l)
            for (int k = 0; k < count; ++k) out(l, k) = leaf_jacobian[l * count + k];
        if (out.rows() > leaves) out(leaves, count) = 1.0;
    }

    // A leaf that moves no residual passes nothing on, however steep it is itself.
    void drop_still_leaves() {
        for (int l = 0; l < leaves; ++l) {
            if (leaf_gradient[index(l)] != 0.0) continue;
            bool finite = true;
            for (Eigen::Index k = 0; k < chain.cols(); ++k)
                finite = finite && std::isfinite(chain(l, k));
            for (Eigen::Index k = 0; !finite && k < chain.cols(); ++k) chain(l, k) = 0.0;
        }
    }

    // local_matrix = chain' full chain. Plain loops: the matrices are small, and Eigen's products
    // take long to compile.
    void congruence() {
        multiply_transposed(full, chain, product);  // full is symmetric
        multiply_transposed(chain, product, local_matrix);
    }

    // out = a' b
    static void multiply_transposed(const Matrix& a, const Matrix& b, Matrix& out) {
        for (Eigen::Index j = 0; j < b.cols(); ++j)
            for (Eigen::Index i = 0; i < a.cols(); ++i) {
                double sum = 0.0;
                for (Eigen::Index k = 0; k < a.rows(); ++k) sum += a(k, i) * b(k, j);
                out(i, j) = sum;
            }
    }
    // local_gradient = a' g
    void multiply_transposed(const Matrix& a, const double* g) {
        for (Eigen::Index i = 0; i < a.cols(); ++i) {
            local_gradient[i] = 0.0;
            for (Eigen::Index k = 0; k < a.rows(); ++k) local_gradient[i] += a(k, i) * g[k];
        }
    }

    Evaluator evaluator;
    int leaves;
    int segment = -1;  // whose parameters the evaluator has
    int block = -1;    // whose values and residuals are here
    Vector parameters;
    Buffer u, slope, bend, curvature, seed, scale_column;  // (largest block,)
    Buffer counted;                                        // (largest block,), weights that count
    std::vector<const double*> jacobian;                   // (leaf columns,)
    std::vector<double> leaf_gradient;                     // of a chunk
    std::vector<double> leaf_bend, leaf_curvature;         // of a chunk, packed
    std::vector<double> second_gram;                       // (leaves, leaves)
    Matrix full;                                           // (leaf columns, leaf columns)
    // Only where leaves are functions of parameters:
    Matrix chain, chain_moved, product;  // (leaf columns, local_count)
    Matrix local_matrix;                 // (local_count, local_count)
    Vector local_gradient;
};

// work(lane, chunk) for every chunk; stopped_ says whether some were left out.
template <class Work>
void ObjectiveEvaluator::for_each_chunk(Work work) {
    const std::vector<int>& tasks = objective_.tasks();
    if (objective_.task_count() == 1) {
        for (int c = 0; c < tasks[1]; ++c) work(*lanes_[0], c);
        return;
    }
    parallel_for(objective_.task_count(), static_cast<int>(lanes_.size()), monitor_,
                 [&](long task, int lane) {
                     const auto t = static_cast<std::size_t>(task);
                     for (int c = tasks[t]; c < tasks[t + 1]; ++c) work(*lanes_[index(lane)], c);
                 });
    stopped_ = monitor_.stopped();
}

}  // namespace lawfit
