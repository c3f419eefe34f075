// What is minimised: a program against a target under a loss, as a function of the free parameters.
//
//   F(x) = sum_i w_i rho(u_i),          u_i = (z_i(x) - y_i) f_i,                  scale fixed
//   F(x) = sum_i w_i (rho(u_i) + s + c), u_i = (z_i(x) - y_i) f_i exp(-s),          scale fitted
//
// z: the program's value; y: the target in the same space; f_i = 1 / sigma_i; s, the last entry of x,
// the logarithm of the scale; c the logarithm of the integral of exp(-rho).
#pragma once

#include <vector>

#include <Eigen/Core>

#include <lawfit/aligned.hpp>
#include <lawfit/expression/columns.hpp>
#include <lawfit/expression/evaluator.hpp>
#include <lawfit/expression/program.hpp>
#include <lawfit/kernels.hpp>

namespace lawfit {

using kernels::LossKind;
using kernels::LossSpec;
using Vector = Eigen::VectorXd;
using Matrix = Eigen::MatrixXd;

// How the program's parameters follow from the free ones: source[k] is the index in x of parameter k,
// or -1 for a parameter fixed at value[k]. Several parameters with one source are tied.
struct Parameterisation {
    std::vector<int> source;    // (program parameters,)
    std::vector<double> value;  // (program parameters,)
    int free_count = 0;
};

// The immutable problem, shared by all workers.
class Objective {
public:
    struct Data {
        std::vector<const double*> columns;  // one per program column, (rows,)
        const double* target = nullptr;      // (rows,)
        const double* weight = nullptr;      // (rows,) or null: ones
        const double* sigma = nullptr;       // (rows,) or null: ones
        int rows = 0;
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

    // Throws std::invalid_argument when sizes do not agree.
    Objective(Program program, const Data& data, const Terms& terms,
              Parameterisation parameterisation, Bounds bounds);

    // Free parameters, and the logarithm of the scale when it is fitted.
    int dimension() const {
        return parameterisation_.free_count + (terms_.scale_is_fitted ? 1 : 0);
    }
    const Program& program() const { return program_; }
    const BoundColumns& columns() const { return columns_; }
    const Terms& terms() const { return terms_; }
    const Parameterisation& parameterisation() const { return parameterisation_; }
    const Bounds& bounds() const { return bounds_; }
    int rows() const { return columns_.rows(); }
    const Buffer& target() const { return target_; }
    const Buffer& weight() const { return weight_; }          // zero in the padding
    const Buffer& row_factor() const { return row_factor_; }  // empty: ones

private:
    Program program_;
    BoundColumns columns_;
    Terms terms_;
    Parameterisation parameterisation_;
    Bounds bounds_;
    Buffer target_;
    Buffer weight_;
    Buffer row_factor_;
};

// One worker's evaluation of an objective. Holds all memory it needs from construction on.
class ObjectiveEvaluator {
public:
    explicit ObjectiveEvaluator(const Objective& objective);

    const Objective& objective() const { return objective_; }
    int dimension() const { return objective_.dimension(); }

    // Replaces the loss (a smoothed stand-in on the way to a sharp one) or goes back to the objective's.
    void set_loss(const LossSpec& loss) { loss_ = loss; }
    const LossSpec& loss() const { return loss_; }
    // Row weights that replace the objective's, e.g. a bootstrap draw's: padded, zero in the padding.
    // Null goes back.
    void set_weight(const double* weight);
    double total_weight() const { return total_weight_; }

    // F(x), +inf where it is not finite. x: (dimension,)
    double value(const Vector& x);

    // At the x of the last value(): the gradient, the Gauss-Newton matrix with the weights of the
    // signed-root-loss residual, and the first-order part of the Hessian, sum w rho'' J J^T.
    // Any matrix may be null.
    void derivatives(Vector& gradient, Matrix* bend, Matrix* curvature);

    // After derivatives() at the same x: the second-order part of the Hessian, sum w rho' d2u.
    // Together with `curvature` it is the exact Hessian.
    void second_order(Matrix& second);

    // Residuals u at the x of the last value(), (padded rows,).
    const Buffer& residuals() const { return u_; }
    // Objective when every residual is one rounding error of its target.
    double rounding_floor();

    long evaluations() const { return evaluations_; }

private:
    void set_parameters(const Vector& x);
    void set_point(const Vector& x);
    void congruence(Matrix& matrix);
    void find_chain(Matrix& chain);
    void add_chain_curvature(Matrix& second);
    void to_free(const double* leaf_gradient, Vector& gradient);
    void matrix_to_free(const double* gram, Matrix& matrix);

    const Objective& objective_;
    LossSpec loss_;
    const double* weight_;
    double total_weight_ = 0.0;
    Evaluator evaluator_;
    int columns_;  // leaves, and one for the scale
    double log_scale_ = 0.0;
    double factor_ = 1.0;  // exp(-log_scale_)
    Vector point_, parameters_;
    Matrix chain_;                // (columns_, dimension): d leaf / d x
    bool chain_selects_ = false;  // every leaf is one parameter
    std::vector<int> selected_;   // then: the index in x of each column, -1 if fixed
    Buffer u_, slope_, bend_, curvature_;
    Buffer seed_, scale_column_;
    std::vector<double> gradient_, bend_gram_, curvature_gram_;
    std::vector<const double*> jacobian_;
    std::vector<double> second_gram_;  // (leaves, leaves)
    Matrix full_, product_, chain_moved_;
    Vector moved_;
    bool registers_are_current_ = false;
    long evaluations_ = 0;
};

}  // namespace lawfit
