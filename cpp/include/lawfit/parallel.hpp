// The library's only parallel loop, and how a caller watches and stops it.
#pragma once

#include <atomic>
#include <chrono>
#include <exception>
#include <functional>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>

#if defined(_OPENMP)
#include <omp.h>
#else
#include <vector>
#endif

namespace lawfit {

// Threads that a call asking for `requested` gets; 0 or less asks for the default (OMP_NUM_THREADS,
// 1 inside another parallel region, 1 in a process forked after OpenMP was used).
int thread_count(int requested);
bool has_openmp();
// For a forked child, in which the OpenMP runtime's threads do not exist.
void set_serial_only();

#if !defined(_OPENMP)
namespace detail {
inline thread_local bool in_parallel = false;  // as omp_in_parallel() says it
}
#endif

// Asked now and then by work that may take long; true when it should come to an end.
class Interrupt {
public:
    virtual bool requested() = 0;

protected:
    ~Interrupt() = default;
};

// Watches a parallel loop from the thread that started it.
class Monitor {
public:
    // Called on the starting thread about every `period` with the number of finished tasks; returns
    // false to stop.
    using Poll = std::function<bool(long done)>;
    using Period = std::chrono::milliseconds;

    explicit Monitor(Poll poll = {}, Period period = Period(50))
        : poll_(std::move(poll)), period_(period), last_(Clock::now()) {}

    void finished_one() { done_.fetch_add(1, std::memory_order_relaxed); }
    long done() const { return done_.load(std::memory_order_relaxed); }
    bool stopped() const { return stop_.load(std::memory_order_relaxed); }
    void stop() { stop_.store(true, std::memory_order_relaxed); }

    // Asks the poll if it is time; only for the starting thread.
    void check() {
        if (!poll_ || stopped()) return;
        const auto now = Clock::now();
        if (now - last_ < period_) return;
        last_ = now;
        if (!poll_(done())) stop();
    }

private:
    using Clock = std::chrono::steady_clock;
    Poll poll_;
    Period period_;
    Clock::time_point last_;
    std::atomic<long> done_{0};
    std::atomic<bool> stop_{false};
};

// Runs body(task, worker) for task = 0 .. tasks - 1 on `threads` workers, worker 0 being the calling
// thread, which also polls. Tasks are handed out in order, one at a time, and none is started after
// the monitor stops. The first exception stops the loop and is rethrown.
template <class Body>
void parallel_for(long tasks, int threads, Monitor& monitor, Body body) {
    std::atomic<long> next{0};
    std::atomic<long> running{0};
    std::exception_ptr error;
    std::mutex error_mutex;
    const auto work = [&](int worker) {
        try {
            for (;;) {
                if (monitor.stopped()) return;
                running.fetch_add(1);
                const long task = next.fetch_add(1, std::memory_order_relaxed);
                if (task < tasks) body(task, worker);
                running.fetch_sub(1);
                if (task >= tasks) break;
                monitor.finished_one();
                if (worker == 0) monitor.check();
            }
            // Out of tasks: the starting thread still listens while others finish theirs. That mostly
            // takes them less time than it takes a thread to wake up.
            auto pause = std::chrono::microseconds(20);
            for (int turn = 0; worker == 0 && running.load() > 0 && !monitor.stopped(); ++turn) {
                if (turn < 200) {
                    std::this_thread::yield();
                    continue;
                }
                std::this_thread::sleep_for(pause);
                if (pause < std::chrono::milliseconds(5)) pause *= 2;
                monitor.check();
            }
        } catch (...) {
            const std::lock_guard<std::mutex> lock(error_mutex);
            if (!error) error = std::current_exception();
            running.fetch_sub(1);
            monitor.stop();
        }
    };
    if (threads <= 1 || tasks <= 1) {
        work(0);
    } else {
#if defined(_OPENMP)
#pragma omp parallel num_threads(threads)
        work(omp_get_thread_num());
#else
        std::vector<std::thread> others;
        const auto worker = [&](int number) {
            detail::in_parallel = true;
            work(number);
            detail::in_parallel = false;
        };
        try {
            for (int k = 1; k < threads; ++k) others.emplace_back(worker, k);
        } catch (const std::system_error&) {
            // No more threads to be had: those there are do the work.
        }
        worker(0);
        for (std::thread& other : others) other.join();
#endif
    }
    if (error) std::rethrow_exception(error);
}

}  // namespace lawfit
