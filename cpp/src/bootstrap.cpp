#include <lawfit/search/bootstrap.hpp>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <memory>
#include <stdexcept>

#include <lawfit/search/sandwich.hpp>

#include "index.hpp"
#include "worker.hpp"

namespace lawfit {
namespace {

constexpr double same = 1e-6;      // objectives of one minimum, relative
constexpr double rounding = 1e-9;  // a gain that does not count

bool is_followed(long number) { return number < 32 || number % (number < 512 ? 8 : 16) == 0; }

// The ways of the starts under the table itself, and the minima at their ends.
struct Ways {
    explicit Ways(int dimension) : paths(dimension, true) {}
    Paths paths;
    std::vector<Vector> ends;  // the first is the fit's own
    std::vector<double> objective;
    long evaluations = 0;
};

// The best solution of a draw.
class Best {
public:
    void consider(const Solution& found) {
        const bool ok = succeeded(found.status), had = succeeded(best_.status);
        const bool lower =
            found.objective < best_.objective - rounding * std::fabs(best_.objective);
        if (best_.status == Status::not_run || (ok && !had) || (ok == had && lower)) best_ = found;
    }
    const Solution& solution() const { return best_; }

private:
    Solution best_;
};

bool is_lower(double a, double b) { return a < b - same * std::fabs(b); }

// All draws of a call, by several workers.
class Draws {
public:
    Draws(const Objective& objective, const Resampling& resampling, const double* starts,
          int start_count, const BootstrapOptions& options, const SolverOptions& solver_options,
          Monitor& monitor)
        : objective_(objective),
          resampling_(resampling),
          starts_(starts),
          start_count_(start_count),
          options_(options),
          monitor_(monitor),
          pool_(objective, solver_options, options.threads, options.draws, monitor),
          memory_(static_cast<std::size_t>(pool_.size())),
          ways_(objective.dimension()) {}

    BootstrapResult run() {
        const auto n = static_cast<std::size_t>(options_.draws);
        const auto p = static_cast<std::size_t>(objective_.dimension());
        result_.dimension = objective_.dimension();
        result_.x.assign(n * p, NAN);
        result_.objective.assign(n, NAN);
        result_.status.assign(n, static_cast<int>(Status::not_run));
        result_.evaluations.assign(n, 0);
        result_.warm_start_was_beaten.assign(n, 0);
        result_.followed.assign(n, 0);
        result_.rows_used.assign(n, 0);
        result_.undetermined.assign(n * p, 0);
        if (options_.covariance) result_.covariance.assign(n * p * p, NAN);
        look_at_the_table();
        if (options_.early_stop && start_count_ > 1) find_ways();
        for_each_draw([](long) { return true; });
        if (claims_failed_ && !monitor_.stopped()) {
            result_.claims_failed = true;
            for_each_draw([&](long draw) { return !result_.followed[index(draw)]; });
        }
        result_.other_evaluations = ways_.evaluations;
        result_.interrupted = monitor_.stopped();
        return std::move(result_);
    }

private:
    // What a worker needs for a draw besides its solver.
    struct Memory {
        std::vector<double> unit_weight;  // (units,)
        std::vector<double> residual;     // (rows,)
        Buffer weight, target;            // (padded,)
        std::vector<Solution> ends;       // of the draw, from the ways' ends; not run until needed
        std::unique_ptr<Sandwich> sandwich;
    };

    std::size_t place(int row) const { return index(objective_.layout().place(row)); }
    Vector start(int s) const {
        const int p = objective_.dimension();
        return Eigen::Map<const Vector>(starts_ + static_cast<std::ptrdiff_t>(s) * p, p);
    }

    // Residuals of the fit, in table order, and its covariance.
    void look_at_the_table() {
        ways_.ends.push_back(start(0));
        if (!resampling_.renews_targets() && !options_.covariance) return;
        Worker& w = pool_[0];
        w.evaluator.value(start(0));
        Buffer placed(index(objective_.layout().padded()));
        w.evaluator.residuals(placed.data());
        for (int i = 0; i < objective_.rows(); ++i) {
            residual_.push_back(placed[place(i)]);
            if (!objective_.weight().empty()) weight_.push_back(objective_.weight()[place(i)]);
        }
        if (!options_.covariance) return;
        const auto p = index(objective_.dimension());
        result_.own_covariance.resize(p * p);
        sandwich(memory_[0]).find(w.evaluator, start(0), nullptr, result_.own_covariance.data());
    }

    Sandwich& sandwich(Memory& memory) {
        if (!memory.sandwich)
            memory.sandwich =
                std::make_unique<Sandwich>(objective_, resampling_.unit, resampling_.units());
        return *memory.sandwich;
    }

    void find_ways() {
        Worker& w = pool_[0];
        ways_.objective.push_back(w.evaluator.value(start(0)));
        for (int s = 1; s < start_count_ && !monitor_.stopped(); ++s) {
            w.follower.begin(nullptr);
            w.solver.solve(start(s), w.solution, &w, &w.follower);
            ways_.evaluations += w.solution.evaluations;
            if (!succeeded(w.solution.status)) continue;
            const double f = w.solution.objective;
            std::size_t end = 0;
            while (end < ways_.ends.size() &&
                   (is_lower(f, ways_.objective[end]) || is_lower(ways_.objective[end], f)))
                ++end;
            if (end == ways_.ends.size()) {
                ways_.ends.push_back(w.solution.x);
                ways_.objective.push_back(f);
            }
            ways_.paths.add(w.follower.path(), static_cast<long>(end));
        }
        ways_.paths.publish();
    }

    template <class Wanted>
    void for_each_draw(Wanted wanted) {
        parallel_for(options_.draws, pool_.size(), monitor_, [&](long draw, int worker) {
            if (wanted(draw)) make(draw, pool_[worker], memory_[index(worker)]);
        });
    }

    // Gives the evaluator the rows of a draw.
    void resample(long draw, ObjectiveEvaluator& evaluator, Memory& m) {
        const long number = options_.first_draw + draw;
        const Buffer& own = objective_.weight();
        const int rows = objective_.rows();
        int used = 0;
        if (resampling_.renews_targets()) {
            m.residual.resize(index(rows));
            resampling_.renew(options_.seed, number, residual_.data(),
                              weight_.empty() ? nullptr : weight_.data(), m.residual.data());
            m.target = objective_.target();
            const Buffer& factor = objective_.row_factor();
            for (int i = 0; i < rows; ++i) {
                const std::size_t at = place(i);
                const double moved = residual_[index(i)] - m.residual[index(i)];
                m.target[at] += factor.empty() ? moved : moved / factor[at];
                used += own.empty() || own[at] > 0.0;
            }
            evaluator.set_target(m.target.data());
        } else {
            m.unit_weight.resize(index(resampling_.units()));
            m.weight.assign(index(objective_.layout().padded()), 0.0);
            resampling_.weigh(options_.seed, number, m.unit_weight.data());
            for (int i = 0; i < rows; ++i) {
                const std::size_t at = place(i);
                m.weight[at] = m.unit_weight[index(resampling_.unit[index(i)])];
                if (!own.empty()) m.weight[at] *= own[at];
                used += m.weight[at] > 0.0;
            }
            evaluator.set_weight(m.weight.data());
        }
        result_.rows_used[index(draw)] = used;
    }

    // The draw's minimum near one of the ways' ends.
    const Solution& near_end(std::size_t end, Worker& w, Memory& m, int& evaluations) {
        Solution& found = m.ends[end];
        if (found.status != Status::not_run) return found;
        w.start = ways_.ends[end];
        keep_undetermined(w);
        w.solver.solve(w.start, found, &w, nullptr, From::nearby);
        evaluations += found.evaluations;
        return found;
    }

    void keep_undetermined(Worker& w) const {
        for (const int i : w.evaluator.weightless()) w.start[i] = starts_[i];
    }

    void make(long draw, Worker& w, Memory& m) {
        const auto p = objective_.dimension();
        resample(draw, w.evaluator, m);
        m.ends.assign(ways_.ends.size(), Solution());
        const bool trusted = options_.early_stop && !result_.claims_failed;
        const bool follow = !trusted || is_followed(options_.first_draw + draw);
        int evaluations = 0;
        Best best, claimed;  // claimed: what it would have been, had claims been trusted
        const auto consider_end = [&](std::size_t end) {
            const Solution& found = near_end(end, w, m, evaluations);
            best.consider(found);
            claimed.consider(found);
        };
        consider_end(0);
        const double warm = m.ends[0].objective;
        for (int s = 1; s < start_count_ && !monitor_.stopped(); ++s) {
            w.start = start(s);
            keep_undetermined(w);
            w.follower.begin(trusted ? &ways_.paths : nullptr, follow);
            w.solver.solve(w.start, w.solution, &w, &w.follower);
            evaluations += w.solution.evaluations;
            const long end = w.follower.end();
            if (w.solution.status != Status::joined) best.consider(w.solution);
            if (end < 0)
                claimed.consider(w.solution);
            else
                consider_end(index(end));
        }
        const Solution& found = best.solution();
        if (trusted && follow && succeeded(found.status) &&
            (!succeeded(claimed.solution().status) ||
             is_lower(found.objective, claimed.solution().objective)))
            claims_failed_ = true;
        const auto i = index(draw);
        if (!monitor_.stopped()) {  // half a draw is no draw
            std::copy(found.x.begin(), found.x.end(), result_.x.begin() + draw * p);
            result_.objective[i] = found.objective;
            result_.status[i] = static_cast<int>(found.status);
            result_.evaluations[i] += evaluations;
            result_.warm_start_was_beaten[i] = is_lower(found.objective, warm);
            result_.followed[i] = follow;
            for (const int k : w.evaluator.weightless())
                result_.undetermined[i * index(p) + index(k)] = 1;
            if (options_.covariance)
                sandwich(m).find(w.evaluator, found.x,
                                 resampling_.renews_targets() ? nullptr : m.unit_weight.data(),
                                 result_.covariance.data() + draw * p * p);
        }
    }

    const Objective& objective_;
    const Resampling& resampling_;
    const double* starts_;
    int start_count_;
    BootstrapOptions options_;
    Monitor& monitor_;
    WorkerPool pool_;
    std::vector<Memory> memory_;
    Ways ways_;
    std::vector<double> residual_, weight_;  // (rows,) as in the table
    std::atomic<bool> claims_failed_{false};
    BootstrapResult result_;
};

}  // namespace

BootstrapResult bootstrap(const Objective& objective, const Resampling& resampling,
                          const double* starts, int start_count, const BootstrapOptions& options,
                          const SolverOptions& solver_options, Monitor& monitor) {
    resampling.check();
    if (resampling.rows() != objective.rows())
        throw std::invalid_argument("bootstrap: one unit per row is needed");
    if (resampling.kind == Resampling::Kind::deletion &&
        (options.first_draw < 0 || options.first_draw + options.draws > resampling.units()))
        throw std::invalid_argument("bootstrap: there are fewer units to leave out than draws");
    return Draws(objective, resampling, starts, start_count, options, solver_options, monitor)
        .run();
}

}  // namespace lawfit
