#include <lawfit/search/bootstrap.hpp>

#include <algorithm>
#include <cmath>

#include <lawfit/random.hpp>

#include "worker.hpp"

namespace lawfit {

BootstrapResult bootstrap_cases(const Objective& objective, const double* starts, int start_count,
                                long first_draw, long draws, std::uint64_t seed,
                                const SolverOptions& options, int threads, Monitor& monitor) {
    const int p = objective.dimension();
    const int rows = objective.rows();
    const auto n = static_cast<std::size_t>(draws);
    BootstrapResult result;
    result.dimension = p;
    result.x.assign(n * static_cast<std::size_t>(p), NAN);
    result.objective.assign(n, NAN);
    result.status.assign(n, static_cast<int>(Status::not_run));
    result.evaluations.assign(n, 0);
    result.warm_start_was_beaten.assign(n, 0);

    WorkerPool pool(objective, options, threads, draws, monitor);
    std::vector<Buffer> weights(static_cast<std::size_t>(pool.size()));
    parallel_for(draws, pool.size(), monitor, [&](long draw, int worker) {
        Worker& w = pool[worker];
        Buffer& weight = weights[static_cast<std::size_t>(worker)];
        weight.assign(static_cast<std::size_t>(objective.columns().padded()), 0.0);
        Philox random(seed, static_cast<std::uint64_t>(first_draw + draw));
        for (int i = 0; i < rows; ++i) {
            const auto row = static_cast<int>(random.below(static_cast<std::uint32_t>(rows)));
            weight[static_cast<std::size_t>(objective.layout().place(row))] += 1.0;
        }
        for (std::size_t i = 0; i < objective.weight().size(); ++i)
            weight[i] *= objective.weight()[i];
        w.evaluator.set_weight(weight.data());

        w.paths.clear();
        Solution best;
        double warm = INFINITY;
        int evaluations = 0;
        for (int s = 0; s < start_count && !monitor.stopped(); ++s) {
            w.start = Eigen::Map<const Vector>(starts + static_cast<std::ptrdiff_t>(s) * p, p);
            for (const int i : w.evaluator.weightless()) w.start[i] = starts[i];
            w.follower.begin(&w.paths);
            if (s == 0)
                w.solver.solve(w.start, w.solution, &w, nullptr, From::nearby);
            else
                w.solver.solve(w.start, w.solution, &w, &w.follower);
            evaluations += w.solution.evaluations;
            if (w.solution.status == Status::joined) continue;
            if (s > 0 && succeeded(w.solution.status)) {
                w.paths.add(w.follower.path(), s);
                w.paths.publish();
            }
            if (s == 0) warm = w.solution.objective;
            const bool better = best.status == Status::not_run ||
                                (succeeded(w.solution.status) && !succeeded(best.status)) ||
                                (succeeded(w.solution.status) == succeeded(best.status) &&
                                 w.solution.objective < best.objective);
            if (better) best = w.solution;
        }
        w.evaluator.set_weight(nullptr);
        if (monitor.stopped()) return;  // half a draw is no draw
        const auto i = static_cast<std::size_t>(draw);
        std::copy(best.x.begin(), best.x.end(), result.x.begin() + draw * p);
        result.objective[i] = best.objective;
        result.status[i] = static_cast<int>(best.status);
        result.evaluations[i] = evaluations;
        result.warm_start_was_beaten[i] = best.objective < warm - 1e-6 * std::fabs(warm);
    });
    result.interrupted = monitor.stopped();
    return result;
}

}  // namespace lawfit
