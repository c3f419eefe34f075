#include <lawfit/search/multistart.hpp>

#include <algorithm>
#include <cmath>

#include "worker.hpp"

namespace lawfit {

MultistartResult multistart(const Objective& objective, const double* starts, long count,
                            const SolverOptions& options, int threads, Monitor& monitor) {
    const int p = objective.dimension();
    const auto n = static_cast<std::size_t>(count);
    MultistartResult result;
    result.dimension = p;
    result.x.assign(n * static_cast<std::size_t>(p), NAN);
    result.objective.assign(n, NAN);
    result.decrement.assign(n, NAN);
    result.status.assign(n, static_cast<int>(Status::not_run));
    result.evaluations.assign(n, 0);

    WorkerPool pool(objective, options, threads, count, monitor);
    parallel_for(count, pool.size(), monitor, [&](long task, int worker) {
        Worker& w = pool[worker];
        w.start = Eigen::Map<const Vector>(starts + task * p, p);
        w.solver.solve(w.start, w.solution, &w);
        const auto i = static_cast<std::size_t>(task);
        std::copy(w.solution.x.begin(), w.solution.x.end(), result.x.begin() + task * p);
        result.objective[i] = w.solution.objective;
        result.decrement[i] = w.solution.decrement;
        result.status[i] = static_cast<int>(w.solution.status);
        result.evaluations[i] = w.solution.evaluations;
    });
    result.interrupted = monitor.stopped();
    return result;
}

std::vector<double> values_at(const Objective& objective, const double* points, long count,
                              int threads, Monitor& monitor) {
    const int p = objective.dimension();
    std::vector<double> values(static_cast<std::size_t>(count), NAN);
    WorkerPool pool(objective, SolverOptions{}, threads, count, monitor);
    parallel_for(count, pool.size(), monitor, [&](long task, int worker) {
        Worker& w = pool[worker];
        w.start = Eigen::Map<const Vector>(points + task * p, p);
        values[static_cast<std::size_t>(task)] = w.evaluator.value(w.start);
    });
    return values;
}

}  // namespace lawfit
