#include <lawfit/search/batch.hpp>

#include <algorithm>
#include <cmath>
#include <memory>
#include <optional>
#include <stdexcept>

#include <lawfit/search/levels.hpp>

#include "index.hpp"
#include "worker.hpp"

namespace lawfit {

namespace {

constexpr int check_every = 8;
// With fewer rows a start is followed to its end in less time than paths take to be kept.
constexpr int fewest_rows = 64;

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
    const std::shared_ptr<const Program> shared(std::shared_ptr<void>(), problem.program);
    return Objective(
        shared, data, problem.terms, problem.parameterisation,
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
          paths_(objective_.dimension()),
          origin_(starts.origin + offset(problem, table)),
          width_(starts.width + offset(problem, table)),
          endings_(index(starts.starts)) {
        if (starts.tournament > 1) levels_.emplace(objective_);
        const bool early_stop = objective_.rows() >= fewest_rows;
        if (!run(early_stop) && early_stop) run(false);
    }

    const Ending& best() const { return endings_[index(best_)]; }
    int hits() const { return hits_; }
    int starts() const { return run_; }
    int evaluations() const { return static_cast<int>(worker_.evaluator.evaluations()); }

private:
    static std::ptrdiff_t offset(const BatchProblem& problem, int table) {
        return static_cast<std::ptrdiff_t>(table) * problem.lower.size();
    }

    // The best point of a tournament, into worker_.start.
    void choose_start(int s) {
        const int p = objective_.dimension();
        double least = INFINITY;
        point_.resize(p);
        worker_.evaluator.set_loss(objective_.terms().loss);
        const bool levels = levels_ && levels_->exist();
        // A point says as much as two where its levels are chosen.
        const int candidates = levels ? (starts_.tournament + 1) / 2 : starts_.tournament;
        for (int c = 0; c < candidates; ++c) {
            const double* unit =
                starts_.points + static_cast<std::ptrdiff_t>(s * starts_.tournament + c) * p;
            for (int k = 0; k < p; ++k) point_[k] = origin_[k] + width_[k] * unit[k];
            double value = INFINITY;
            if (levels)
                value = levels_->choose(point_);
            else if (starts_.tournament > 1)
                value = worker_.evaluator.value(point_);
            if (c == 0 || value < least) {
                worker_.start = point_;
                least = value;
            }
        }
    }

    // False when a start that could have stopped early ended elsewhere.
    bool run(bool early_stop) {
        best_ = 0;
        for (int s = 0; s < starts_.starts; ++s) {
            Ending& ending = endings_[index(s)];
            choose_start(s);
            run_ = s + 1;
            worker_.follower.begin(early_stop ? &paths_ : nullptr, s % check_every == 0);
            worker_.solver.solve(worker_.start, worker_.solution, &worker_,
                                 early_stop ? &worker_.follower : nullptr);
            const Solution& found = worker_.solution;
            const long met = worker_.follower.end();
            if (found.status == Status::joined) {
                ending = endings_[static_cast<std::size_t>(met)];
                paths_.add(worker_.follower.path(), met);
            } else {
                ending = {found.x, found.objective, found.status};
                if (succeeded(found.status)) {
                    const long end = first_at(s);
                    if (met >= 0 && met != end) return false;
                    if (early_stop) paths_.add(worker_.follower.path(), end);
                }
            }
            if (early_stop) paths_.publish();
            count(s);
            if (starts_.enough > 0 && hits_ >= starts_.enough) break;
        }
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

    // Counts the ending of start s for or against the best one so far.
    void count(int s) {
        const Ending &ending = endings_[index(s)], &best = endings_[index(best_)];
        const bool good = succeeded(ending.status), best_good = succeeded(best.status);
        if (s == 0) {
            hits_ = good ? 1 : 0;
            return;
        }
        const bool lower = ending.objective < best.objective || std::isnan(best.objective);
        if (good && best_good && same(ending, best)) {
            ++hits_;
            if (lower) best_ = s;
        } else if (good != best_good ? good : lower) {
            best_ = s;
            hits_ = good ? 1 : 0;
        }
    }

    const BatchStarts& starts_;
    Objective objective_;
    Worker worker_;
    Paths paths_;
    std::optional<Levels> levels_;  // where points are drawn
    const double* origin_;
    const double* width_;
    Vector point_;
    std::vector<Ending> endings_;
    int best_ = 0, hits_ = 0, run_ = 0;
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
    result.starts.assign(n, 0);
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
        result.starts[i] = fit.starts();
    });
    result.interrupted = monitor.stopped();
    return result;
}

}  // namespace lawfit
