#include <lawfit/search/multistart.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <numeric>
#include <string_view>
#include <unordered_set>
#include <utility>

#include "worker.hpp"

namespace lawfit {

namespace {

constexpr std::size_t first_batch = 32, most_in_batch = std::size_t{1} << 14;

// Every so many starts that could stop early are followed to the end, to see whether they end there.
bool is_checked(std::size_t task) {
    return task % (task < 512 ? 8 : task < 32'768 ? 64 : 256) == 0;
}

// So many claims may prove wrong of those that were checked before all are withdrawn.
long tolerated(long checked) { return 1 + checked / 1000; }

// A stride through the starts that spreads any first few of them over a grid: near the golden
// section of the count, and coprime to it.
long spreading_stride(long count) {
    long stride = std::max(1L, static_cast<long>(0.6180339887498949 * static_cast<double>(count)));
    while (std::gcd(stride, count) != 1) ++stride;
    return stride;
}

// The distinct ends of finished starts, each by the number of the first start that came to it.
class Ends {
public:
    Ends(const Objective& objective, const MultistartResult& result)
        : slack_(objective.terms().scale_is_fitted ? objective.rows() : 0.0), result_(result) {}

    // The first start that ended where start i did.
    long first_at_end_of(long i) {
        for (const long start : starts_)
            if (same(objective(i), objective(start)) || (exact(i) && exact(start))) return start;
        starts_.push_back(i);
        return i;
    }

private:
    double objective(long i) const { return result_.objective[static_cast<std::size_t>(i)]; }
    bool exact(long i) const {
        return result_.status[static_cast<std::size_t>(i)] == static_cast<int>(Status::exact);
    }
    bool same(double a, double b) const {
        return std::fabs(a - b) <= 1e-6 * std::max(std::fabs(b), slack_);
    }

    double slack_;
    const MultistartResult& result_;
    std::vector<long> starts_;
};

// Gives start i the end of start `other`.
void share_end(MultistartResult& result, std::size_t i, long other) {
    const auto p = static_cast<std::size_t>(result.dimension);
    const auto j = static_cast<std::size_t>(other);
    for (std::size_t k = 0; k < p; ++k) result.x[i * p + k] = result.x[j * p + k];
    result.objective[i] = result.objective[j];
    result.decrement[i] = result.decrement[j];
    result.status[i] = result.status[j];
}

// What a start of the present batch came to.
struct Followed {
    Path path;
    std::size_t points_before = 0;  // its claim was made
    Claim claim;
};

// Withdraws also the claims that rest on a start whose own claim is withdrawn.
void withdraw_what_rests_on(const std::vector<Claim>& claims, std::vector<char>& withdrawn) {
    for (bool more = true; more;) {
        more = false;
        for (std::size_t i = 0; i < claims.size(); ++i) {
            if (claims[i].end < 0 || withdrawn[i] != 0) continue;
            if (withdrawn[static_cast<std::size_t>(claims[i].owner)] == 0) continue;
            withdrawn[i] = 1;
            more = true;
        }
    }
}

}  // namespace

std::vector<long> earlier_same(const double* starts, long count, int dimension) {
    const auto bytes = [&](long i) {
        return std::string_view(reinterpret_cast<const char*>(starts + i * dimension),
                                static_cast<std::size_t>(dimension) * sizeof(double));
    };
    const auto hash = [&](long i) { return std::hash<std::string_view>{}(bytes(i)); };
    const auto same = [&](long i, long j) { return bytes(i) == bytes(j); };
    std::unordered_set<long, decltype(hash), decltype(same)> seen(64, hash, same);
    std::vector<long> earlier(static_cast<std::size_t>(count), -1);
    for (long i = 0; i < count; ++i) {
        const auto [first, is_new] = seen.insert(i);
        if (!is_new) earlier[static_cast<std::size_t>(i)] = *first;
    }
    return earlier;
}

MultistartResult multistart(const Objective& objective, const double* starts, long count,
                            const SolverOptions& options, bool early_stop, int threads,
                            Monitor& monitor) {
    const int p = objective.dimension();
    const auto n = static_cast<std::size_t>(count);
    MultistartResult result;
    result.dimension = p;
    result.x.assign(n * static_cast<std::size_t>(p), NAN);
    result.objective.assign(n, NAN);
    result.decrement.assign(n, NAN);
    result.status.assign(n, static_cast<int>(Status::not_run));
    result.evaluations.assign(n, 0);
    result.joined.assign(n, -1);
    result.repeats = early_stop ? earlier_same(starts, count, p) : std::vector<long>(n, -1);

    Paths paths(p);
    Ends ends(objective, result);
    std::vector<Followed> batch;
    std::vector<Claim> claims(early_stop ? n : 0);  // that starts were stopped for
    std::vector<long> queue;
    const long stride = spreading_stride(count);
    for (long task = 0; task < count; ++task) {
        const auto start =
            static_cast<std::uint64_t>(task) * static_cast<std::uint64_t>(stride) % n;
        if (result.repeats[start] < 0)
            queue.push_back(static_cast<long>(start));
        else
            monitor.finished_one();
    }
    WorkerPool pool(objective, options, threads, static_cast<long>(queue.size()), monitor);
    // What a batch knows is what the batches before it found, whatever thread found it first.
    for (std::size_t begin = 0, end = 0; begin < queue.size() && !monitor.stopped(); begin = end) {
        end = std::min(queue.size(), begin + std::clamp(begin, first_batch, most_in_batch));
        batch.assign(early_stop ? end - begin : 0, {});
        parallel_for(
            static_cast<long>(end - begin), pool.size(), monitor, [&](long at, int worker) {
                Worker& w = pool[worker];
                const auto task = static_cast<std::size_t>(at);
                const long start = queue[begin + task];
                const auto i = static_cast<std::size_t>(start);
                w.start = Eigen::Map<const Vector>(starts + start * p, p);
                w.follower.begin(early_stop ? &paths : nullptr, is_checked(begin + task));
                w.solver.solve(w.start, w.solution, &w, early_stop ? &w.follower : nullptr);
                result.evaluations[i] += w.solution.evaluations;
                result.status[i] = static_cast<int>(w.solution.status);
                if (early_stop)
                    batch[task] = {w.follower.path(), w.follower.points_before(),
                                   w.follower.claim()};
                if (w.solution.status == Status::joined) return;
                std::copy(w.solution.x.begin(), w.solution.x.end(), result.x.begin() + start * p);
                result.objective[i] = w.solution.objective;
                result.decrement[i] = w.solution.decrement;
            });
        if (!early_stop) continue;

        std::vector<Paths::Found> surprises;  // ends that are new, or not as claimed
        for (std::size_t task = 0; task < end - begin; ++task) {
            const long start = queue[begin + task];
            const auto i = static_cast<std::size_t>(start);
            const auto status = static_cast<Status>(result.status[i]);
            if (status == Status::not_run || status == Status::interrupted) continue;
            auto& [path, points_before, claim] = batch[task];
            const bool claimed = claim.end >= 0;
            if (claimed) paths.count(claim);
            if (status == Status::joined) {
                claims[i] = claim;
                result.joined[i] = claim.end;
                share_end(result, i, claim.end);
                paths.add(std::move(path), claim.end, start);
                continue;
            }
            const long found = succeeded(status) ? ends.first_at_end_of(start) : -1;
            const bool right = claimed && claim.end == found;
            result.checked += right;
            result.refuted += claimed && !right;
            const bool surprising = found == start || (claimed && !right);
            if (surprising) surprises.push_back({&path, found});
            const std::size_t points = right ? points_before : path.f.size();
            if (found >= 0) paths.add(surprising ? path : std::move(path), found, start, points);
        }
        if (!surprises.empty()) {
            std::vector<char> withdrawn(n, 0);
            if (result.refuted <= tolerated(result.checked + result.refuted)) {
                paths.doubt(claims, surprises, withdrawn);
                withdraw_what_rests_on(claims, withdrawn);
            } else {
                for (std::size_t i = 0; i < n; ++i) withdrawn[i] = claims[i].end >= 0;
                paths.distrust();
                result.checked = result.refuted = 0;
            }
            paths.forget(withdrawn);
            for (std::size_t i = 0; i < n; ++i) {
                if (withdrawn[i] == 0) continue;
                claims[i] = {};
                result.joined[i] = -1;
                result.status[i] = static_cast<int>(Status::not_run);
                queue.push_back(static_cast<long>(i));
            }
        }
        if (end < queue.size()) paths.publish(pool.size());
    }
    for (std::size_t i = 0; i < n; ++i) {
        const long other = result.repeats[i];
        if (other < 0) continue;
        const auto status = static_cast<Status>(result.status[static_cast<std::size_t>(other)]);
        if (status != Status::not_run && status != Status::interrupted) share_end(result, i, other);
    }
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
