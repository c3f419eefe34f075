// One start to one minimum: damped Gauss-Newton steps, finished by Newton steps.
//
// Far from the minimum: Levenberg-Marquardt on the signed-root-loss residuals sign(u) sqrt(2 rho(u)).
// Its damping is a multiple of the identity (in units of `typical`), which follows the curved valleys
// of sums of powers where column scaling does not, chosen so that the step has the length of a trust
// region: a term that the start has made negligible has next to no curvature, and only a step bounded
// by length, not by curvature, brings it back. Near it that model converges only linearly under a
// robust loss; the exact Hessian, sum w rho'' J J^T + sum w rho' d2u, takes over. Bounds: each step
// minimises its model over the box (BoxStep).
// Robust losses see far residuals all alike, and have a kink that may be sharp against the near ones:
// they are reached by way of least squares and a sequence of losses with narrowing cores; but for Cauchy's, which
// is not convex, so that the way would leave out most of its minima.
#pragma once

#include <lawfit/objective/objective_evaluator.hpp>
#include <lawfit/solver/box_step.hpp>
#include <lawfit/status.hpp>

namespace lawfit {

struct SolverOptions {
    // Converged when a full Newton step promises less than tolerance * F (* total weight when the
    // scale is fitted). The default is some 1e-10 standard errors.
    double tolerance = 1e-20;
    // Evaluations of the objective for one start; looked at once per step, so that a few more are
    // possible.
    int max_evaluations = 5000;
    // Length of the first step at most, in units of `typical`.
    double initial_radius = 1.0;

    // Throws std::invalid_argument naming the option, its value and the bound it violates.
    void check() const;
};

struct Solution {
    Vector x;                // (dimension,)
    double objective = 0.0;  // +inf when bad_start
    double decrement = 0.0;  // what the last full step promised to gain
    Status status = Status::not_run;
    int evaluations = 0;
};

// Sees every point that the first stage of a solve passes; true ends it with Status::joined.
class Watcher {
public:
    virtual bool passes(const Vector& x, double f) = 0;

protected:
    ~Watcher() = default;
};

// Where a solve begins: anywhere, or near a minimum, where the loss itself can be trusted.
enum class From { anywhere, nearby };

class Solver {
public:
    // The evaluator must outlive the solver. Allocates everything it will use.
    Solver(ObjectiveEvaluator& evaluator, const SolverOptions& options);

    // start: (dimension,). When the scale is fitted and its entry is NaN, it is set from the
    // residuals at the start. Entries outside their bounds are moved to the nearest bound.
    void solve(const Vector& start, Solution& solution, Interrupt* interrupt = nullptr,
               Watcher* watcher = nullptr, From from = From::anywhere);

    // Solves within these bounds, (dimension,) each, instead of the objective's. A coordinate whose
    // bounds are equal is held there.
    void set_bounds(const Vector& lower, const Vector& upper) {
        lower_bound_ = lower;
        upper_bound_ = upper;
    }

private:
    // Minimises the evaluator's present loss from x_, f_.
    Status minimise(double tolerance, Interrupt* interrupt, Watcher* watcher);
    // Changes the loss at the present point.
    void change_loss(const LossSpec& loss);
    void evaluate_here();
    // gradient_ and model_ at x_, the Gauss-Newton matrix or the Hessian.
    void build_model(bool newton);
    // Minimiser of the model over the box and |step| <= about radius, into step_. damping_ is 0 when
    // the region does not bind. False if no damping makes the model positive definite.
    bool trust_step(double radius);
    void set_initial_scale();
    double reference() const;
    double mean_residual();

    ObjectiveEvaluator& evaluator_;
    SolverOptions options_;
    BoxStep box_;
    Vector x_, trial_, step_, gradient_, shifted_, lower_, upper_, metric_;
    Vector lower_bound_, upper_bound_;
    SymmetricMatrix second_order_, model_, damped_;
    double f_ = 0.0;
    double decrement_ = 0.0;
    double floor_ = 0.0;
    double damping_ = 0.0;
    double relative_damping_ = 0.0;  // of the step before, see trust_step()
    bool evaluator_is_at_x_ = false;
    long first_evaluation_ = 0;
};

}  // namespace lawfit
