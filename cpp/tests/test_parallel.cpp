// The parallel loop, and that results are the same bits however the work is divided.
#include <atomic>
#include <chrono>
#include <cstring>
#include <stdexcept>
#include <string>
#include <thread>

#include <lawfit/search/bootstrap.hpp>
#include <lawfit/search/multistart.hpp>

#include "check.hpp"
#include "problems.hpp"

using namespace problems;

namespace {

void every_task_once() {
    for (const int threads : {1, 2, 8})
        for (const long tasks : {0L, 1L, 7L, 1000L}) {
            std::vector<std::atomic<int>> runs(static_cast<std::size_t>(tasks));
            std::atomic<int> strange_workers{0};
            Monitor monitor;
            parallel_for(tasks, threads, monitor, [&](long task, int worker) {
                ++runs[static_cast<std::size_t>(task)];
                if (worker < 0 || worker >= threads) ++strange_workers;
            });
            long once = 0;
            for (const std::atomic<int>& r : runs) once += r == 1;
            CHECK(once == tasks);
            CHECK(strange_workers == 0);
            CHECK(monitor.done() == tasks);
            CHECK(!monitor.stopped());
        }
}

void exceptions() {
    for (const int threads : {1, 2, 8}) {
        std::string caught;
        Monitor monitor;
        try {
            parallel_for(1000000, threads, monitor, [](long task, int) {
                if (task == 20) throw std::runtime_error("task 20");
            });
        } catch (const std::runtime_error& error) {
            caught = error.what();
        }
        CHECK(caught == "task 20");
        CHECK(monitor.stopped());
        CHECK(monitor.done() < 1000000);
    }
    // Several at once: one of them arrives.
    Monitor monitor;
    bool caught = false;
    try {
        parallel_for(100, 8, monitor, [](long, int) {
            std::this_thread::sleep_for(std::chrono::milliseconds(5));
            throw std::runtime_error("each");
        });
    } catch (const std::runtime_error&) {
        caught = true;
    }
    CHECK(caught);
}

void stopping() {
    const auto here = std::this_thread::get_id();
    for (const int threads : {1, 2, 8}) {
        int polls = 0;
        bool elsewhere = false;
        Monitor monitor([&](long) {
            elsewhere = elsewhere || std::this_thread::get_id() != here;
            return ++polls < 2;
        });
        parallel_for(100000, threads, monitor,
                     [](long, int) { std::this_thread::sleep_for(std::chrono::milliseconds(2)); });
        CHECK(monitor.stopped());
        CHECK(polls == 2);
        CHECK(!elsewhere);
        CHECK(monitor.done() > 0 && monitor.done() < 10000);
    }
    // Nothing starts once it has been stopped.
    Monitor monitor;
    monitor.stop();
    int runs = 0;
    parallel_for(10, 1, monitor, [&](long, int) { ++runs; });
    CHECK(runs == 0);
}

template <class T>
bool same_bits(const std::vector<T>& a, const std::vector<T>& b) {
    return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0;
}
template <class T>
std::vector<T> joined(std::vector<T> a, const std::vector<T>& b) {
    a.insert(a.end(), b.begin(), b.end());
    return a;
}

bool same(const MultistartResult& a, const MultistartResult& b) {
    return same_bits(a.x, b.x) && same_bits(a.objective, b.objective) &&
           same_bits(a.decrement, b.decrement) && a.status == b.status &&
           a.evaluations == b.evaluations && !a.interrupted && !b.interrupted;
}
bool same(const BootstrapResult& a, const BootstrapResult& b) {
    return same_bits(a.x, b.x) && same_bits(a.objective, b.objective) && a.status == b.status &&
           a.evaluations == b.evaluations && a.warm_start_was_beaten == b.warm_start_was_beaten &&
           !a.interrupted && !b.interrupted;
}

// (count, 5) row-major, the last of them not finite.
std::vector<double> many_starts(int count) {
    std::vector<double> starts;
    Philox random(5, 0);
    for (int i = 0; i < count; ++i) {
        const double ranges[][2] = {{-1, 1.5}, {0, 20}, {0, 20}, {0, 1.5}, {0, 1.5}};
        for (const auto& [low, high] : ranges)
            starts.push_back(low + (high - low) * uniform(random));
    }
    starts.back() = NAN;
    return starts;
}

void searches() {
    const Table table = chinchilla_table(300, 0.01);
    const Objective objective = chinchilla_objective(table, huber(1e-3));
    const int count = 40, draws = 12;
    const std::vector<double> starts = many_starts(count);
    const auto search = [&](int threads, int limit = 5000) {
        SolverOptions options;
        options.max_evaluations = limit;
        Monitor monitor;
        return multistart(objective, starts.data(), count, options, true, threads, monitor);
    };
    const MultistartResult one = search(1);
    CHECK(same(one, search(2)));
    CHECK(same(one, search(8)));
    CHECK(same(one, search(1)));
    // Solves that end half-way leave nothing behind for their worker's next start.
    CHECK(same(search(1, 20), search(8, 20)));
    CHECK(one.status.back() == static_cast<int>(Status::bad_start));
    int good = 0;
    for (const int s : one.status) good += succeeded(static_cast<Status>(s));
    CHECK(good > count / 2);

    const auto values = [&](int threads) {
        Monitor monitor;
        return values_at(objective, starts.data(), count, threads, monitor);
    };
    CHECK(same_bits(values(1), values(2)));
    CHECK(same_bits(values(1), values(8)));

    std::vector<double> refits(chinchilla_truth);  // the warm start, and one more
    refits.insert(refits.end(), starts.begin(), starts.begin() + 5);
    Resampling cases;
    cases.strata = {0, objective.rows()};
    for (int i = 0; i < objective.rows(); ++i) cases.unit.push_back(i);
    const auto bootstrap = [&](long first, long number, int threads) {
        Monitor monitor;
        BootstrapOptions options;
        options.seed = 77;
        options.first_draw = first;
        options.draws = number;
        options.threads = threads;
        return lawfit::bootstrap(objective, cases, refits.data(), 2, options, {}, monitor);
    };
    const BootstrapResult whole = bootstrap(0, draws, 1);
    CHECK(same(whole, bootstrap(0, draws, 2)));
    CHECK(same(whole, bootstrap(0, draws, 8)));
    BootstrapResult head = bootstrap(0, 5, 2);
    const BootstrapResult tail = bootstrap(5, draws - 5, 1);
    head.x = joined(head.x, tail.x);
    head.objective = joined(head.objective, tail.objective);
    head.status = joined(head.status, tail.status);
    head.evaluations = joined(head.evaluations, tail.evaluations);
    head.warm_start_was_beaten = joined(head.warm_start_was_beaten, tail.warm_start_was_beaten);
    CHECK(same(whole, head));
    CHECK(whole.x[0] != whole.x[5]);  // draws differ
}

// A search that is stopped keeps what it has and says so.
void interrupted_search() {
    const Table table = chinchilla_table(300, 0.01);
    const Objective objective = chinchilla_objective(table, huber(1e-3));
    const int count = 40;
    const std::vector<double> starts = many_starts(count);
    Monitor monitor;
    monitor.stop();
    const MultistartResult r = multistart(objective, starts.data(), count, {}, false, 2, monitor);
    CHECK(r.interrupted);
    CHECK(r.status ==
          std::vector<int>(static_cast<std::size_t>(count), static_cast<int>(Status::not_run)));
    CHECK(std::isnan(r.x[0]) && std::isnan(r.objective[0]));
}

void thread_counts() {
    if (has_openmp()) CHECK(thread_count(3) == 3);
    CHECK(thread_count(0) >= 1);
    set_serial_only();  // for good: keep this last
    CHECK(thread_count(8) == 1);
}

}  // namespace

void run_tests() {
    every_task_once();
    exceptions();
    stopping();
    searches();
    interrupted_search();
    thread_counts();
}
