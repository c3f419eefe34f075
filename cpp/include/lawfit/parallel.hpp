// The library's only parallel loop, and how a caller watches and stops it.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <utility>

namespace lawfit {

// Threads that a call asking for `requested` gets; 0 or less asks for the default (OMP_NUM_THREADS,
// 1 inside another parallel region, 1 in a process forked after OpenMP was used).
int thread_count(int requested);
bool has_openmp();
// For a forked child, in which the OpenMP runtime's threads do not exist.
void set_serial_only();

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
void run_parallel(long tasks, int threads, Monitor& monitor,
                  const std::function<void(long task, int worker)>& body);
template <class Body>
void parallel_for(long tasks, int threads, Monitor& monitor, Body body) {
    run_parallel(tasks, threads, monitor, std::ref(body));  // a reference: nothing is allocated
}

}  // namespace lawfit
