#include <lawfit/solver/solver.hpp>

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <string>

namespace lawfit {
namespace {

// A stage that gains less than this share of the objective in so many evaluations goes nowhere: down a
// valley to infinity, or over a plain. Ways to minima that were measured gain more by far.
constexpr long slide_evaluations = 500;
constexpr double slide_gain = 1e-3;

}  // namespace

void SolverOptions::check() const {
    const auto fail = [](const char* name, double value, const char* bound) {
        throw std::invalid_argument(std::string("solver option ") + name + " = " +
                                    std::to_string(value) + " must be " + bound);
    };
    if (!(tolerance > 0.0 && tolerance < 1.0)) fail("tolerance", tolerance, "between 0 and 1");
    if (max_evaluations < 1) fail("max_evaluations", max_evaluations, "at least 1");
    if (!(initial_radius > 0.0)) fail("initial_radius", initial_radius, "positive");
}

Solver::Solver(ObjectiveEvaluator& evaluator, const SolverOptions& options)
    : evaluator_(evaluator),
      options_(options),
      box_(evaluator.objective().pattern()),
      second_order_(evaluator.objective().pattern()),
      model_(second_order_),
      damped_(second_order_) {
    options.check();
    const int p = evaluator.dimension();
    for (Vector* v : {&x_, &trial_, &step_, &gradient_, &lower_, &upper_, &shifted_}) v->setZero(p);
    const Objective::Bounds& bounds = evaluator.objective().bounds();
    metric_ = bounds.typical.array().square().inverse();
    set_bounds(bounds.lower, bounds.upper);
}

// What gains are measured against, so that neither units nor weights matter.
double Solver::reference() const {
    return evaluator_.objective().terms().scale_is_fitted ? evaluator_.total_weight()
                                                          : std::fabs(f_);
}

void Solver::set_initial_scale() {
    const int last = evaluator_.dimension() - 1;
    x_[last] = 0.0;
    evaluator_.value(x_);
    const LossSpec& loss = evaluator_.loss();
    LossSpec sharp{LossKind::linear, 1.0, 1.0, 0.0};
    if (loss.kind == LossKind::linear) sharp = {LossKind::linear, loss.above, loss.below, 0.0};
    const double total = evaluator_.residual_sum(sharp, true);
    x_[last] =
        total > 0.0 && std::isfinite(total) ? std::log(total / evaluator_.total_weight()) : 0.0;
}

// Mean absolute residual at x_: the yardstick for the width of a loss's core.
double Solver::mean_residual() {
    return evaluator_.residual_sum({LossKind::linear, 1.0, 1.0, 0.0}, false) /
           evaluator_.objective().rows();
}

void Solver::evaluate_here() {
    f_ = evaluator_.value(x_);
    evaluator_is_at_x_ = true;
}

void Solver::build_model(bool newton) {
    if (!evaluator_is_at_x_) evaluate_here();
    if (!newton) {
        evaluator_.derivatives(gradient_, &model_, nullptr);
        return;
    }
    evaluator_.hessian(gradient_, model_, second_order_);
}

bool Solver::trust_step(double radius) {
    const auto attempt = [&](double damping) {
        damped_.values() = model_.values();
        damped_.add_to_diagonal(damping, metric_);
        return box_.solve(damped_, gradient_, lower_, upper_, step_);
    };
    const auto length = [&] { return std::sqrt(step_.cwiseAbs2().dot(metric_)); };

    // |step| falls with the damping and 1 / |step| is nearly linear in it (More, 1978). The damping
    // that fitted the step before, in proportion to gradient and radius, is likely to fit again.
    const double bound = std::sqrt(gradient_.cwiseAbs2().cwiseQuotient(metric_).sum()) / radius;
    double low = 0.0, high = INFINITY;  // too long, too short
    bool undamped_is_known = false;
    double damping = relative_damping_ * bound;
    for (int i = 0; i < 60; ++i) {
        damping_ = damping;
        undamped_is_known = undamped_is_known || damping == 0.0;
        const bool definite = attempt(damping);
        const double n = definite ? length() : INFINITY;
        if (n <= 1.2 * radius && (n >= 0.8 * radius || damping == 0.0)) {
            relative_damping_ = damping > 0.0 ? damping / bound : 0.0;  // bound may be 0 too
            return true;
        }
        (n > radius ? low : high) = damping;
        if (std::isfinite(high) && high - low <= 1e-10 * high) break;
        double next = 0.0;
        if (!definite) {
            next = damping == 0.0 ? bound : 4.0 * damping;
            if (next >= high) next = 0.5 * (low + high);
        } else {
            shifted_ = metric_.cwiseProduct(step_);
            const double slope = box_.inverse_form(shifted_);
            next = damping + (n - radius) / radius * (slope > 0.0 ? n * n / slope : damping);
            if (next <= 0.0 && !undamped_is_known)
                next = 0.0;  // perhaps the region does not bind at all
            else if (!(next > low && next < high))
                next = std::isfinite(high) ? std::sqrt(std::max(low, 1e-8 * high) * high)
                                           : std::max(10.0 * damping, 1e-3 * bound);
        }
        damping = next;
    }
    // A step shorter than the region allows is a step all the same.
    if (!std::isfinite(high)) return false;
    damping_ = high;
    relative_damping_ = high / bound;
    return attempt(high) && step_.allFinite();
}

Status Solver::minimise(double tolerance, Interrupt* interrupt, Watcher* watcher) {
    const auto converged = [&] {
        return box_.bound_is_active() ? Status::at_bound : Status::converged;
    };
    double radius = options_.initial_radius;
    bool newton = false, newton_failed = false;  // failed: at the present point
    damping_ = relative_damping_ = 0.0;
    double last_small_decrement = INFINITY;
    int idle_steps = 0, rejections = 0;
    long slide_begin = evaluator_.evaluations();
    double slide_height = f_;
    if (watcher && watcher->passes(x_, f_)) return Status::joined;
    build_model(false);

    for (;;) {
        if (interrupt && interrupt->requested()) return Status::interrupted;
        if (f_ <= floor_) return Status::exact;
        if (evaluator_.evaluations() - first_evaluation_ >= options_.max_evaluations)
            return Status::evaluation_limit;
        if (evaluator_.evaluations() - slide_begin >= slide_evaluations) {
            if (slide_height - f_ <= slide_gain * reference()) return Status::sliding;
            slide_begin = evaluator_.evaluations();
            slide_height = f_;
        }

        lower_ = lower_bound_ - x_;
        upper_ = upper_bound_ - x_;
        if (!trust_step(radius)) {
            if (!newton) return Status::stalled;
            newton = false;
            newton_failed = true;
            build_model(false);
            continue;
        }
        const double linear = gradient_.dot(step_);
        model_.multiply(step_, shifted_);
        const double promise = -(linear + 0.5 * step_.dot(shifted_));
        const double length = std::sqrt(step_.cwiseAbs2().dot(metric_));
        const bool full = damping_ == 0.0;
        decrement_ = -linear;
        // Rounding of the residuals hides smaller gains of F: |sum u du| <= 2 sqrt(F floor).
        const double noise = std::max(
            1e-12 * reference(),
            std::min(0.1 * std::fabs(f_), 2.0 * std::sqrt(std::max(floor_, 0.0) * std::fabs(f_))));
        const bool small = full && decrement_ <= noise;
        if (full && decrement_ <= tolerance * reference()) {
            if (newton) return converged();
            if (newton_failed) return Status::stalled;
            newton = true;  // only the exact Hessian certifies a minimum
            build_model(true);
            continue;
        }
        if (small && newton) {
            // The gradient still tells where to go. Stop when it no longer improves.
            if (decrement_ > 0.1 * last_small_decrement && ++idle_steps >= 2) return converged();
            last_small_decrement = decrement_;
        }

        trial_ = (x_ + step_).cwiseMax(lower_bound_).cwiseMin(upper_bound_);
        const double f_trial = evaluator_.value(trial_);
        evaluator_is_at_x_ = false;
        const double gain = f_ - f_trial;
        const double ratio = gain / std::max(promise, 1e-300);
        if (small ? !(f_trial <= f_ + 10.0 * noise) : !(ratio > 1e-4)) {
            // To the minimum of the parabola through both values and the slope.
            radius = length * (std::isfinite(f_trial)
                                   ? std::clamp(0.5 * linear / (linear + gain), 0.2, 0.5)
                                   : 0.1);
            if (radius <= 1e-14 || ++rejections > 60) {
                // Rounding of F hides any further gain.
                if (decrement_ <= std::max(1e-9 * reference(), noise)) return converged();
                if (newton || newton_failed) return Status::stalled;
                newton = true;
                build_model(true);
                radius = options_.initial_radius;
                rejections = 0;
            }
            continue;
        }
        rejections = 0;
        const double relative_gain = gain / std::max(reference(), 1e-300);
        x_ = trial_;
        f_ = f_trial;
        evaluator_is_at_x_ = true;
        newton_failed = false;
        if (ratio < 0.25 && !small)
            radius = 0.5 * length;
        else if (ratio > 0.75 && length > 0.7 * radius)
            radius = std::max(radius, 2.0 * length);

        if (watcher && watcher->passes(x_, f_)) return Status::joined;
        if (relative_gain < 0.01) newton = true;
        build_model(newton);
    }
}

void Solver::change_loss(const LossSpec& loss) {
    evaluator_.set_loss(loss);
    floor_ =
        evaluator_.objective().terms().scale_is_fitted ? -INFINITY : evaluator_.rounding_floor();
    evaluate_here();
}

void Solver::solve(const Vector& start, Solution& solution, Interrupt* interrupt, Watcher* watcher,
                   From from) {
    const Objective& objective = evaluator_.objective();
    const LossSpec exact = objective.terms().loss;
    const bool squared = exact.kind == LossKind::squared;
    const auto ended = [](Status s) {
        return s == Status::interrupted || s == Status::evaluation_limit || s == Status::joined;
    };
    first_evaluation_ = evaluator_.evaluations();
    evaluator_.set_loss(exact);
    decrement_ = 0.0;
    x_ = start;
    if (objective.terms().scale_is_fitted && std::isnan(x_[x_.size() - 1])) set_initial_scale();
    x_ = x_.cwiseMax(lower_bound_).cwiseMin(upper_bound_);
    change_loss(exact);

    Status status = Status::bad_start;
    if (std::isfinite(f_)) {
        status = Status::not_run;
        LossSpec loss = exact;
        // Not under a loss that levels off: it has minima of its own, and least squares leads to one only.
        const bool by_least_squares =
            !squared && exact.kind != LossKind::cauchy && from == From::anywhere;
        if (by_least_squares) {
            change_loss({});
            if (std::isfinite(f_)) status = minimise(1e-6, interrupt, watcher);
            watcher = nullptr;
            if (objective.terms().scale_is_fitted && !ended(status)) {
                // The loss's own scale, in units of which its core is to be chosen.
                evaluator_.set_loss(exact);
                set_initial_scale();
                evaluate_here();
            }
        }
        if (exact.kind == LossKind::linear && !ended(status)) {
            double yardstick = mean_residual();
            double core = (by_least_squares ? 0.2 : 0.5) * yardstick;
            while (!ended(status) && core > std::max(4.0 * exact.core, 1e-9 * yardstick)) {
                loss.core = core;
                change_loss(loss);
                status = minimise(1e-3, interrupt, nullptr);
                yardstick = mean_residual();
                core = std::min(0.1 * core, 0.2 * yardstick);
            }
            loss.core = std::max(exact.core, 1e-10 * yardstick);
        }
        if (!ended(status)) {
            if (!squared) change_loss(loss);
            status = minimise(options_.tolerance, interrupt, watcher);
        }
        // Where a start has joined another, the other one's objective counts.
        if (!squared && status != Status::joined) {
            evaluator_.set_loss(exact);
            evaluate_here();
        }
    }
    solution.x = x_;
    solution.objective = f_;
    solution.decrement = decrement_;
    solution.status = status;
    solution.evaluations = static_cast<int>(evaluator_.evaluations() - first_evaluation_);
}

}  // namespace lawfit
