#include <lawfit/search/batch.hpp>

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "worker.hpp"

namespace lawfit {

namespace {

constexpr int check_every = 8;

std::size_t index(int i) { return static_cast<std::size_t>(i); }

Objective objective_of(const BatchProblem& problem, int table, const double* typical) {
    const int begin = problem.offsets[index(table)];
    const auto at = [&](const double* values) { return values ? values + begin : nullptr; };
    Objective::Data data;
    for (const double* column : problem.data.columns) data.columns.push_back(column + begin);
    data.target = problem.data.target + begin;
    data.weight = at(problem.data.weight);
    data.sigma = at(problem.data.sigma);
    data.target_transform = problem.data.target_transform;
    data.rows = problem.offsets[index(table) + 1] - begin;
    return Objective(
        *problem.program, data, problem.terms, problem.parameterisation,
        {problem.lower, problem.upper, Eigen::Map<const Vector>(typical, problem.lower.size())});
}

// Where one start of a table ended.
struct Ending {
    Vector x;
    double objective = NAN;
    Status status = Status::not_run;
};

// The fit of one table.
class TableFit {
public:
    TableFit(const BatchProblem& problem, const BatchStarts& starts, int table,
             const SolverOptions& options, Monitor& monitor, bool polls)
        : starts_(starts),
          objective_(objective_of(problem, table, starts.typical + offset(problem, table))),
          worker_(objective_, options, 1, monitor, polls),
          origin_(starts.origin + offset(problem, table)),
          width_(starts.width + offset(problem, table)),
          points_(index(starts.starts)),
          endings_(index(starts.starts)) {
        choose_starts();
        if (!run(true)) run(false);
    }

    const Ending& best() const { return endings_[index(best_)]; }
    int hits() const { return hits_; }
    int evaluations() const { return static_cast<int>(worker_.evaluator.evaluations()); }

private:
    static std::ptrdiff_t offset(const BatchProblem& problem, int table) {
        return static_cast<std::ptrdiff_t>(table) * problem.lower.size();
    }

    void choose_starts() {
        const int p = objective_.dimension();
        Vector point(p);
        for (int s = 0; s < starts_.starts; ++s) {
            double least = INFINITY;
            for (int c = 0; c < starts_.tournament; ++c) {
                const double* unit =
                    starts_.points + static_cast<std::ptrdiff_t>(s * starts_.tournament + c) * p;
                for (int k = 0; k < p; ++k) point[k] = origin_[k] + width_[k] * unit[k];
                const double value =
                    starts_.tournament > 1 ? worker_.evaluator.value(point) : INFINITY;
                if (c == 0 || value < least) {
                    points_[index(s)] = point;
                    least = value;
                }
            }
        }
    }

    // False when a start that could have stopped early ended elsewhere.
    bool run(bool early_stop) {
        worker_.paths.clear();
        for (int s = 0; s < starts_.starts; ++s) {
            Ending& ending = endings_[index(s)];
            worker_.follower.begin(early_stop ? &worker_.paths : nullptr, s % check_every == 0);
            worker_.solver.solve(points_[index(s)], worker_.solution, &worker_, &worker_.follower);
            const Solution& found = worker_.solution;
            const long met = worker_.follower.end();
            if (found.status == Status::joined) {
                ending = endings_[static_cast<std::size_t>(met)];
                if (early_stop) worker_.paths.add(worker_.follower.path(), met);
                continue;
            }
            ending = {found.x, found.objective, found.status};
            if (!succeeded(found.status)) continue;
            const long end = first_at(s);
            if (met >= 0 && met != end) return false;
            if (early_stop) worker_.paths.add(worker_.follower.path(), end);
        }
        choose_best();
        return true;
    }

    bool same(const Ending& a, const Ending& b) const {
        if (a.status == Status::exact && b.status == Status::exact) return true;
        const double slack =
            objective_.terms().scale_is_fitted ? static_cast<double>(objective_.rows()) : 0.0;
        return std::fabs(a.objective - b.objective) <=
               1e-6 * std::max(std::fabs(b.objective), slack);
    }

    // The first start that ended where start s did.
    long first_at(int s) const {
        for (int i = 0; i < s; ++i)
            if (succeeded(endings_[index(i)].status) &&
                same(endings_[index(s)], endings_[index(i)]))
                return i;
        return s;
    }

    void choose_best() {
        const auto better = [](const Ending& a, const Ending& b) {
            if (succeeded(a.status) != succeeded(b.status)) return succeeded(a.status);
            return a.objective < b.objective || std::isnan(b.objective);
        };
        best_ = 0;
        for (int s = 1; s < starts_.starts; ++s)
            if (better(endings_[index(s)], endings_[index(best_)])) best_ = s;
        hits_ = static_cast<int>(
            std::count_if(endings_.begin(), endings_.end(), [&](const Ending& ending) {
                return succeeded(ending.status) && same(ending, endings_[index(best_)]);
            }));
    }

    const BatchStarts& starts_;
    Objective objective_;
    Worker worker_;
    const double* origin_;
    const double* width_;
    std::vector<Vector> points_;
    std::vector<Ending> endings_;
    int best_ = 0, hits_ = 0;
};

}  // namespace

BatchResult fit_batch(const BatchProblem& problem, const BatchStarts& starts,
                      const SolverOptions& options, int threads, Monitor& monitor) {
    options.check();
    if (starts.starts < 1 || starts.tournament < 1)
        throw std::invalid_argument("batch: at least one start is needed");
    const int tables = problem.tables();
    const auto p = static_cast<int>(problem.lower.size());
    const auto n = index(tables);
    BatchResult result;
    result.dimension = p;
    result.x.assign(n * index(p), NAN);
    result.objective.assign(n, NAN);
    result.status.assign(n, static_cast<int>(Status::not_run));
    result.evaluations.assign(n, 0);
    result.hits.assign(n, 0);
    const int workers =
        static_cast<int>(std::min<long>(thread_count(threads), std::max(tables, 1)));
    parallel_for(tables, workers, monitor, [&](long task, int worker) {
        const auto table = static_cast<int>(task);
        const TableFit fit(problem, starts, table, options, monitor, worker == 0);
        if (monitor.stopped()) return;  // half a fit is no fit
        const auto i = index(table);
        const Ending& best = fit.best();
        std::copy(best.x.begin(), best.x.end(), result.x.begin() + task * p);
        result.objective[i] = best.objective;
        result.status[i] = static_cast<int>(best.status);
        result.evaluations[i] = fit.evaluations();
        result.hits[i] = fit.hits();
    });
    result.interrupted = monitor.stopped();
    return result;
}

}  // namespace lawfit
