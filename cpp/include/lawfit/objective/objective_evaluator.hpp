// The value and the derivatives of an objective at a point.
#pragma once

#include <memory>
#include <vector>

#include <lawfit/objective/objective.hpp>
#include <lawfit/objective/symmetric.hpp>
#include <lawfit/parallel.hpp>

namespace lawfit {

// One worker's evaluation of an objective, on one thread or several. Holds all memory it needs from
// construction on, and that does not grow with the rows but by some numbers per chunk.
class ObjectiveEvaluator {
public:
    // threads: how many may work on the rows together. interrupt: asked by the calling thread while
    // it goes through a large table; when it asks for an end, value() is +inf and the derivatives
    // mean nothing.
    explicit ObjectiveEvaluator(const Objective& objective, int threads = 1,
                                Interrupt* interrupt = nullptr);
    ~ObjectiveEvaluator();
    ObjectiveEvaluator(const ObjectiveEvaluator&) = delete;
    ObjectiveEvaluator& operator=(const ObjectiveEvaluator&) = delete;

    const Objective& objective() const { return objective_; }
    int dimension() const { return objective_.dimension(); }

    // Replaces the loss (a smoothed stand-in on the way to a sharp one) or goes back to the objective's.
    void set_loss(const LossSpec& loss) {
        loss_ = loss;
        bent_ = false;
    }
    const LossSpec& loss() const { return loss_; }
    // Row weights that replace the objective's, e.g. a bootstrap draw's: padded, zero in the padding.
    // Null goes back.
    void set_weight(const double* weight);
    // Of the rows that are not censored.
    double total_weight() const { return total_weight_; }
    // Targets that replace the objective's, in its space and places. Null goes back.
    void set_target(const double* target) {
        target_ = target ? target : objective_.target().data();
    }
    // Where there are several segments: coordinates of which no segment has weight, so that nothing
    // determines them.
    const std::vector<int>& weightless() const { return weightless_; }

    // F(x), +inf where it is not finite. x: (dimension,)
    double value(const Vector& x);

    // At the x of the last value(): the gradient, the Gauss-Newton matrix with the weights of the
    // signed-root-loss residual, and the first-order part of the Hessian, sum w rho'' J J^T.
    // Any matrix may be null.
    // They are of objective().pattern(). A coordinate of weightless() has 1 / typical^2 on their
    // diagonal, so that it stays where it is.
    void derivatives(Vector& gradient, SymmetricMatrix* bend, SymmetricMatrix* curvature);

    // At the x of the last value(): the second-order part of the Hessian, sum w rho' d2u.
    // Together with `curvature` it is the exact Hessian.
    void second_order(SymmetricMatrix& second);

    // At the x of the last value(): the gradient and the exact Hessian. Where the program's value is a
    // log-sum this takes one pass over the rows. scratch: of the same pattern.
    void hessian(Vector& gradient, SymmetricMatrix& hessian, SymmetricMatrix& scratch);

    // At the x of the last value(): the sum of another loss over the residuals u, with the present
    // weights or with all of them 1. Censored rows count where their value is on the wrong side, under a fitted
    // scale not at all.
    double residual_sum(const LossSpec& loss, bool weighted);
    // At the x of the last value(): (z - y) f in the places of the table, (padded,), whatever the
    // scale.
    void residuals(double* out);
    // At the x of the last value(): adds the gradient of each row's share of F, with the present
    // weights, to the row of scores that row_of[place] names. scores: (any, dimension)
    void add_scores(const int* row_of, Matrix& scores);
    // Objective when every residual is one rounding error of its target.
    double rounding_floor();

    long evaluations() const { return evaluations_; }

private:
    struct Lane;  // what one thread works with

    template <class Work>
    void for_each_chunk(Work work);
    template <class Term>
    double sum_over_blocks(Term term);
    const double* weights_of(const RowLayout::Block& block, const double* weight) const;
    const double* counted(Lane& lane, const RowLayout::Block& block, const double* weight) const;
    bool has_tails() const;
    double tail_sum();
    double slopes(Lane& lane, const RowLayout::Block& block, double* bend, double* curvature);
    void add_penalties(Vector* gradient, SymmetricMatrix* matrix) const;
    void set_point(const Vector& x);
    void enter(Lane& lane, int segment);
    void bring_residuals(Lane& lane, int block);
    bool unit_seeds() const;
    void sum_derivatives(Vector& gradient, SymmetricMatrix* bend, SymmetricMatrix* curvature,
                         bool exact);
    void add_derivatives(Lane& lane, int chunk, bool bend, bool curvature, bool exact);
    void add_second_order(Lane& lane, int chunk);
    void add_chain_curvature(Lane& lane, int segment);
    void find_weightless();
    void scatter(const std::vector<double>& packed, SymmetricMatrix& matrix) const;

    const Objective& objective_;
    LossSpec loss_;
    const double* weight_ = nullptr;  // null: ones
    const double* target_ = nullptr;
    double total_weight_ = 0.0;
    double log_scale_ = 0.0;
    double factor_ = 1.0;  // exp(-log_scale_)
    Vector point_;
    Buffer ones_;  // a block of them, then padding
    std::vector<std::unique_ptr<Lane>> lanes_;
    Monitor monitor_;
    bool stopped_ = false;
    bool bent_ = false;  // the one lane holds slopes and bend of the one block, of loss and weights
    std::vector<int> weightless_;
    std::vector<double> values_;              // (chunks,)
    std::vector<double> gradients_;           // (chunks, local_count)
    std::vector<double> bends_, curvatures_;  // (chunks, packed_count); bends_ also of second order
    long evaluations_ = 0;
};

}  // namespace lawfit
