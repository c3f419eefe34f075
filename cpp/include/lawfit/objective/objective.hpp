// What is minimised: a program against a target under a loss, as a function of the free parameters.
//
//   F(x) = sum_i w_i rho(u_i),          u_i = (z_i(x) - y_i) f_i,                  scale fixed
//   F(x) = sum_i w_i (rho(u_i) + s + c), u_i = (z_i(x) - y_i) f_i exp(-s),          scale fitted
//
// z: the program's value; y: the target in the same space; f_i = 1 / sigma_i; s, the last entry of x,
// the logarithm of the scale; c the logarithm of the integral of exp(-rho).
//
// The target of a censored row is known to be y or more (side 1), or y or less (side -1). Under a fixed
// scale its loss counts only where the value lies on the other side of y. Under a fitted one its term is
// -w log of the share of the density exp(-rho) on that side, in place of the one above.
//
// To either sum penalties are added: half the square of a linear function of x each.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include <lawfit/aligned.hpp>
#include <lawfit/expression/columns.hpp>
#include <lawfit/expression/program.hpp>
#include <lawfit/kernels.hpp>
#include <lawfit/objective/symmetric.hpp>

namespace lawfit {

using kernels::LossKind;
using kernels::LossSpec;

// A loss by the name of its kind: squared, linear, cauchy or logcosh. False when there is none.
bool loss_kind_from_name(const std::string& name, LossKind& kind);

// How the program's parameters follow from the free ones, segment by segment: source[s, k] is the
// index in x of parameter k in segment s, or -1 for a parameter fixed at value[s, k]. Several
// parameters with one source are tied.
struct Parameterisation {
    std::vector<int> source;    // (segments, program parameters) row-major
    std::vector<double> value;  // (segments, program parameters) row-major
    int free_count = 0;

    // The program's `count` parameters in a segment. x: (free_count,) at least; out: (count,)
    void find(const Vector& x, int segment, int count, double* out) const {
        const auto first = static_cast<std::size_t>(segment) * static_cast<std::size_t>(count);
        for (std::size_t k = 0; k < static_cast<std::size_t>(count); ++k)
            out[k] = source[first + k] >= 0 ? x[source[first + k]] : value[first + k];
    }
};

// The immutable problem, shared by all workers. Rows are copied, in the order of the layout.
class Objective {
public:
    struct Data {
        std::vector<const double*> columns;  // one per program column, (rows,)
        const double* target = nullptr;      // (rows,)
        const double* weight = nullptr;      // (rows,) or null: ones
        const double* sigma = nullptr;       // (rows,) or null: ones
        const double* side = nullptr;        // (rows,) of -1, 0 and 1, or null: zeros
        int rows = 0;
        // Applied to the target: log_ or logit_. Opcode::count_: nothing.
        Opcode target_transform = Opcode::count_;
        // Rows by segment, see RowLayout. Empty: one segment.
        std::vector<int> order = {};         // (rows,)
        std::vector<int> segment_rows = {};  // (segments,)
    };
    struct Terms {
        LossSpec loss;
        bool scale_is_fitted = false;
        double log_normaliser = 0.0;
    };
    struct Bounds {
        Vector lower;    // (dimension,), -inf where there is none
        Vector upper;    // (dimension,), +inf where there is none
        Vector typical;  // (dimension,), typical size of a change: the metric of the damping
    };
    // (sum_k coefficient[k] x[index[k]] - offset)^2 / 2, each index once.
    struct Penalty {
        std::vector<int> index;
        std::vector<double> coefficient;
        double offset = 0.0;
        double residual(const Vector& x) const {
            double r = -offset;
            for (std::size_t k = 0; k < index.size(); ++k) r += coefficient[k] * x[index[k]];
            return r;
        }
    };
    // Rows of one segment that are summed by one thread from the first to the last. The partition
    // depends on the table alone, and chunks are added up in order, so that results do not depend
    // on the number of threads.
    struct Chunk {
        int begin, end;  // blocks
        int segment;
    };

    // Throws std::invalid_argument when sizes do not agree.
    Objective(Program program, const Data& data, const Terms& terms,
              Parameterisation parameterisation, Bounds bounds, std::vector<Penalty> penalties = {})
        : Objective(std::make_shared<const Program>(std::move(program)), data, terms,
                    std::move(parameterisation), std::move(bounds), std::move(penalties)) {}
    // With a program that several objectives share.
    Objective(std::shared_ptr<const Program> program, const Data& data, const Terms& terms,
              Parameterisation parameterisation, Bounds bounds,
              std::vector<Penalty> penalties = {});

    // Free parameters, and the logarithm of the scale when it is fitted.
    int dimension() const {
        return parameterisation_.free_count + (terms_.scale_is_fitted ? 1 : 0);
    }
    const Program& program() const { return *program_; }
    const BoundColumns& columns() const { return columns_; }
    const RowLayout& layout() const { return columns_.layout(); }
    const Terms& terms() const { return terms_; }
    const Parameterisation& parameterisation() const { return parameterisation_; }
    const Bounds& bounds() const { return bounds_; }
    int rows() const { return columns_.rows(); }
    const Buffer& target() const { return target_; }
    const Buffer& weight() const { return weight_; }          // zero in the padding; empty: ones
    const Buffer& row_factor() const { return row_factor_; }  // empty: ones
    const Buffer& side() const { return side_; }              // empty: zeros
    const std::vector<Penalty>& penalties() const { return penalties_; }

    const std::vector<Chunk>& chunks() const { return chunks_; }
    // Chunks tasks()[t] to tasks()[t + 1] are enough work to hand to a thread.
    const std::vector<int>& tasks() const { return tasks_; }
    int task_count() const { return static_cast<int>(tasks_.size()) - 1; }

    // Whether every leaf of the program is a parameter. Then the columns of a segment's derivatives
    // are its leaves, otherwise its parameters; a fitted scale comes last.
    bool leaves_are_parameters() const { return leaves_are_parameters_; }
    int local_count() const { return local_count_; }
    // Index in x of each column of a segment, -1 where it is fixed, (local_count,).
    const int* coordinates(int segment) const {
        return coordinates_.data() + static_cast<std::ptrdiff_t>(segment) * local_count_;
    }
    // Where a segment's matrix, packed as a lower triangle by rows, is added in a matrix of
    // pattern(); -1 where something is fixed. (packed_count,)
    const int* entries(int segment) const {
        return entries_.data() + static_cast<std::ptrdiff_t>(segment) * packed_count();
    }
    int packed_count() const { return local_count_ * (local_count_ + 1) / 2; }
    // Whether columns of one segment share an index in x.
    bool has_ties() const { return has_ties_; }
    // Entries of the second derivatives that can differ from zero; all where they are not few.
    const std::shared_ptr<const SymmetricPattern>& pattern() const { return pattern_; }

private:
    void find_coordinates();
    void find_pattern();
    void cut_into_chunks();

    std::shared_ptr<const Program> program_;
    BoundColumns columns_;
    Terms terms_;
    Parameterisation parameterisation_;
    Bounds bounds_;
    Buffer target_;
    Buffer weight_;
    Buffer row_factor_;
    Buffer side_;
    std::vector<Penalty> penalties_;
    std::vector<Chunk> chunks_;
    std::vector<int> tasks_;
    bool leaves_are_parameters_ = false;
    int local_count_ = 0;
    std::vector<int> coordinates_;  // (segments, local_count)
    std::shared_ptr<const SymmetricPattern> pattern_;
    std::vector<int> entries_;  // (segments, packed_count)
    bool has_ties_ = false;
};

}  // namespace lawfit
