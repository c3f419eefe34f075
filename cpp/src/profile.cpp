#include <lawfit/search/profile.hpp>

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "worker.hpp"

namespace lawfit {
namespace {

struct Point {
    double t = 0.0;
    Solution solution;
};

// One ray, on one worker.
class Walk {
public:
    Walk(Worker& worker, const Vector& origin, const Vector& direction, double reach,
         const RayOptions& options)
        : w_(worker), origin_(origin), direction_(direction), options_(options), reach_(reach) {
        const Objective::Bounds& bounds = w_.evaluator.objective().bounds();
        lower_ = bounds.lower;
        upper_ = bounds.upper;
        for (Eigen::Index i = 0; i < direction.size(); ++i) {
            if (direction[i] == 0.0) continue;
            const double room = (direction[i] > 0.0 ? bounds.upper : bounds.lower)[i] - origin[i];
            to_bound_ = std::min(to_bound_, std::max(0.0, room / direction[i]));
        }
        origin_value_ = w_.evaluator.value(origin_);
    }

    RayEnd run() {
        const RayEnd end = walk();
        go_back();
        release();
        return end;
    }
    const std::vector<Point>& points() const { return points_; }
    long evaluations() const { return evaluations_; }

    // dF / dt at a point: the others are at their minimum, so only what the ray moves counts.
    double slope(const Point& p) {
        w_.evaluator.value(p.solution.x);
        w_.evaluator.derivatives(gradient_, nullptr, nullptr);
        return gradient_.dot(direction_);
    }

private:
    double height(double f) const {
        return std::sqrt(2.0 * std::max(0.0, f - origin_value_) / options_.unit);
    }

    // The start of point t on the line through two known points; one of them alone: moved along.
    void predict(double t, const Point* near, const Point* far) {
        start_ = near ? near->solution.x : origin_;
        if (near && (far || near->t > 0.0)) {
            const double far_t = far ? far->t : 0.0;
            const double share = (t - near->t) / (near->t - far_t);
            // Far beyond what is known a line means nothing.
            if (std::fabs(share) <= 2.0)
                start_ += share * (near->solution.x - (far ? far->solution.x : origin_));
        }
    }

    bool solve_at(double t, Solution& out) {
        const Objective::Bounds& bounds = w_.evaluator.objective().bounds();
        for (Eigen::Index i = 0; i < direction_.size(); ++i) {
            if (direction_[i] == 0.0) continue;
            start_[i] =
                std::clamp(origin_[i] + t * direction_[i], bounds.lower[i], bounds.upper[i]);
            lower_[i] = upper_[i] = start_[i];
        }
        w_.solver.set_bounds(lower_, upper_);
        w_.solver.solve(start_, out, &w_, nullptr, From::nearby);
        evaluations_ += out.evaluations;
        return std::isfinite(out.objective) && out.status != Status::interrupted;
    }

    RayEnd walk() {
        const double limit = std::min(reach_, to_bound_);
        const RayEnd at_limit = to_bound_ <= reach_ ? RayEnd::bound : RayEnd::open;
        double t = 0.0, high = 0.0, step = options_.height_step;
        int refused = 0;
        while (static_cast<int>(points_.size()) < options_.max_points) {
            if (t >= limit) return at_limit;
            const double next = std::min(t + step, limit);
            const Point* near = points_.empty() ? nullptr : &points_.back();
            const Point* far = points_.size() > 1 ? &points_[points_.size() - 2] : nullptr;
            predict(next, near, far);
            Point p;
            p.t = next;
            const bool found = solve_at(next, p.solution);
            if (w_.requested()) return RayEnd::failed;
            const double rise = found ? height(p.solution.objective) - high : INFINITY;
            if (rise > 3.0 * options_.height_step && refused < 8) {
                ++refused;
                step = (next - t) * (found ? std::max(0.1, options_.height_step / rise) : 0.25);
                continue;
            }
            if (!found) return RayEnd::failed;
            refused = 0;
            points_.push_back(p);
            high += rise;
            if (high >= options_.height_end) return RayEnd::reached;
            const double wanted = (next - t) * options_.height_step / std::max(rise, 1e-300);
            step = std::clamp(wanted, 0.25 * step, 3.0 * step);
            t = next;
        }
        return RayEnd::open;
    }

    // A walk that stayed in the wrong valley for too long is corrected from where it found the better
    // one.
    void go_back() {
        for (int k = static_cast<int>(points_.size()) - 2; k >= 0 && !w_.requested(); --k) {
            Point& p = points_[static_cast<std::size_t>(k)];
            start_ = points_[static_cast<std::size_t>(k) + 1].solution.x;
            Solution other;
            const double size = std::max(std::fabs(p.solution.objective), options_.unit);
            if (solve_at(p.t, other) && other.objective < p.solution.objective - 1e-9 * size)
                p.solution = other;
        }
    }

    void release() {
        const Objective::Bounds& bounds = w_.evaluator.objective().bounds();
        w_.solver.set_bounds(bounds.lower, bounds.upper);
    }

    Worker& w_;
    const Vector& origin_;
    const Vector direction_;
    const RayOptions& options_;
    double reach_, to_bound_ = INFINITY, origin_value_ = 0.0;
    Vector lower_, upper_, start_, gradient_;
    std::vector<Point> points_;
    long evaluations_ = 0;
};

}  // namespace

RayPoints walk_rays(const Objective& objective, const Vector& x, const double* directions,
                    const double* reach, long rays, const RayOptions& ray_options,
                    const SolverOptions& options, int threads, Monitor& monitor) {
    if (!(ray_options.unit > 0.0)) throw std::invalid_argument("rays: the unit must be positive");
    const int p = objective.dimension();
    struct Found {
        std::vector<Point> points;
        std::vector<double> slope;
        RayEnd end = RayEnd::failed;
        long evaluations = 0;
    };
    std::vector<Found> found(static_cast<std::size_t>(rays));
    WorkerPool pool(objective, options, threads, rays, monitor);
    parallel_for(rays, pool.size(), monitor, [&](long r, int worker) {
        const Vector direction = Eigen::Map<const Vector>(directions + r * p, p);
        Walk walk(pool[worker], x, direction, reach[r], ray_options);
        Found& out = found[static_cast<std::size_t>(r)];
        out.end = walk.run();
        for (const Point& point : walk.points()) out.slope.push_back(walk.slope(point));
        out.points = walk.points();
        out.evaluations = walk.evaluations();
    });
    RayPoints result;
    result.dimension = p;
    result.interrupted = monitor.stopped();
    for (long r = 0; r < rays; ++r) {
        const Found& f = found[static_cast<std::size_t>(r)];
        result.end.push_back(static_cast<int>(f.end));
        result.evaluations += f.evaluations;
        for (std::size_t k = 0; k < f.points.size(); ++k) {
            const Solution& s = f.points[k].solution;
            result.ray.push_back(static_cast<int>(r));
            result.t.push_back(f.points[k].t);
            result.x.insert(result.x.end(), s.x.data(), s.x.data() + p);
            result.objective.push_back(s.objective);
            result.slope.push_back(f.slope[k]);
            result.status.push_back(static_cast<int>(s.status));
        }
    }
    return result;
}

HeldSolutions solve_held(const Objective& objective, const double* starts, long count,
                         const std::vector<int>& held, const SolverOptions& options, int threads,
                         Monitor& monitor) {
    const int p = objective.dimension();
    for (const int i : held)
        if (i < 0 || i >= p) throw std::invalid_argument("held: there is no such coordinate");
    const auto n = static_cast<std::size_t>(count);
    HeldSolutions result;
    result.x.assign(n * static_cast<std::size_t>(p), NAN);
    result.objective.assign(n, NAN);
    result.status.assign(n, static_cast<int>(Status::not_run));
    WorkerPool pool(objective, options, threads, count, monitor);
    parallel_for(count, pool.size(), monitor, [&](long task, int worker) {
        Worker& w = pool[worker];
        w.start = Eigen::Map<const Vector>(starts + task * p, p);
        Vector lower = objective.bounds().lower, upper = objective.bounds().upper;
        for (const int i : held) lower[i] = upper[i] = w.start[i];
        w.solver.set_bounds(lower, upper);
        w.solver.solve(w.start, w.solution, &w, nullptr, From::nearby);
        std::copy(w.solution.x.begin(), w.solution.x.end(), result.x.begin() + task * p);
        result.objective[static_cast<std::size_t>(task)] = w.solution.objective;
        result.status[static_cast<std::size_t>(task)] = static_cast<int>(w.solution.status);
    });
    result.interrupted = monitor.stopped();
    return result;
}

}  // namespace lawfit
