// One worker's running of a program over a table: values, and adjoints back to the parameters.
#pragma once

#include <utility>
#include <vector>

#include <lawfit/aligned.hpp>
#include <lawfit/expression/columns.hpp>
#include <lawfit/expression/program.hpp>
#include <lawfit/kernels.hpp>

namespace lawfit {

// The fixed part of a logsumexp, sum_j c_j exp(e_j), as sum * exp(shift).
struct FixedPart {
    double shift = 0.0;
    double sum = 0.0;
};

// Holds all memory it needs from construction on; not for use by two threads at once. The program
// and the columns must outlive it.
class Evaluator {
public:
    static constexpr int block_rows = lawfit::block_rows;

    Evaluator(const Program& program, const BoundColumns& columns);

    int block_count() const { return static_cast<int>(columns_.layout().blocks().size()); }
    int block_size(int block) const;

    // Runs the uniform operations. parameters: (parameter_count,)
    void set_parameters(const double* parameters);

    // Values of one block, (block_size,). Valid until the next call.
    const double* forward(int block);
    // In place of forward(): the residuals of one block, (block_size,), into u.
    void residuals(int block, const kernels::Residual& residual, double* u);

    // After forward() of the same block: seed[i] * d value[i] / d leaf, for every leaf; null: ones.
    // Column k, (block_size,), is the derivative with respect to program.leaves()[k].
    const double* const* reverse(int block, const double* seed);

    // After forward() of the same block: adds sum_i d2 (seed[i] value[i]) / d leaf_l d leaf_m to
    // hessian, (leaves, leaves) row-major. By a tangent pass through values and adjoints per leaf;
    // in closed form where the value is the logarithm of a sum of exponentials that are linear in
    // the leaves, as most laws in log residuals are. Unless gradient, (leaves,), is null, adds
    // sum_i d (seed[i] value[i]) / d leaf_l to it.
    void second_order(int block, const double* seed, double* hessian, double* gradient);

    // Where has_term_curvature(), the part of second_order() that comes from the single terms:
    // the rest is -sum_i seed[i] J[i] J[i]', with J[i] the derivatives of value[i] that reverse() gives.
    bool has_term_curvature() const { return !log_sum_.empty(); }
    void add_term_curvature(int block, const double* seed, double* hessian);
    // There, the leaves that are the logarithm of one term's coefficient and nowhere else.
    std::vector<int> offset_leaves() const;

    // d leaf / d parameter, (leaves, parameter_count) row-major; valid after set_parameters().
    const double* leaf_jacobian();
    // True when every leaf is a parameter, so that leaf_jacobian() only selects.
    bool leaves_are_parameters() const { return leaves_are_parameters_; }

private:
    const double* operand(int id, int block) const;
    double* adjoint(int id);
    void find_dependence();
    const double* const* general_reverse(int block, const double* seed);
    void find_log_sum();
    void weigh_terms();
    const double* general_forward(int block);
    bool log_sum_forward(int block, const kernels::Residual* residual, double* out);
    const double* const* log_sum_reverse(int block, const double* seed);
    const double* share_of_term(std::size_t term) const;
    void log_sum_second_order(int block, const double* seed, double* hessian, double* gradient);
    void run_tangents(int leaf, int block);
    void run_adjoint_tangents(int leaf, int block, double* row);
    // Tangent of a varying id, null where it does not depend on the leaf.
    const double* tangent(int leaf, int id) const;
    void run_uniform_operations();

    const Program& program_;
    const BoundColumns& columns_;
    int stride_;  // rows of the largest block
    bool leaves_are_parameters_;
    bool guarded_;  // a zero adjoint may meet an infinity or NaN, and must stay zero

    std::vector<double> slots_;          // (slot_count,)
    std::vector<double> slot_tangents_;  // (slot_count, parameter_count)
    std::vector<double> leaf_jacobian_;
    bool leaf_jacobian_is_current_ = false;

    // One term of a log-sum: the leaves in its exponent and the varying ids that they multiply.
    struct LinearPart {
        int leaf;
        int factor;  // -1: 1
        bool only;   // the leaf is nowhere else
    };
    struct LinearTerm {
        std::vector<LinearPart> parts;
    };
    // Where the exponent of a term that is not fixed is affine in columns: slots, -1 for none.
    struct ExponentSlots {
        int coefficient = -1, offset = -1;
        std::vector<std::pair<int, int>> factors;  // slot, varying id of a column
    };
    std::vector<LinearTerm> log_sum_;       // fixed terms first; empty: the value has another form
    std::vector<ExponentSlots> exponents_;  // empty: not all are affine in columns
    // Of the present parameters:
    bool log_sum_is_current_ = false;
    FixedPart log_sum_fixed_;
    std::vector<double> term_weights_;
    std::vector<kernels::Exponential> exponentials_;
    std::vector<double> offsets_, slopes_;
    std::vector<const double*> slope_columns_;
    std::vector<double*> log_sum_shares_;  // of the terms that are not fixed
    std::vector<const double*> leaf_results_;

    Buffer registers_;            // (row operations, stride)
    Buffer adjoints_;             // (row operations, stride)
    Buffer shares_;               // scratch of logsumexp operations, (share columns, stride)
    Buffer leaf_columns_;         // (leaves, stride)
    Buffer tangents_;             // (row operations, stride)
    Buffer adjoint_tangents_;     // (row operations, stride)
    Buffer zeros_, ones_, work_;  // (block_rows,)
    std::vector<const double*> factors_;
    std::vector<double> gram_;
    std::vector<char> depends_;  // (leaves, row operations)
    std::vector<char> adjoint_tangent_written_;
    std::vector<int> share_offset_;  // first share column of each row operation
    std::vector<char> register_written_;
    std::vector<char> leaf_written_;
    std::vector<double*> leaf_pointers_;
    std::vector<double> coefficients_;
    std::vector<const double*> pointers_;
    std::vector<double*> share_pointers_;
};

}  // namespace lawfit
