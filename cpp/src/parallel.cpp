#include <lawfit/parallel.hpp>

#include <algorithm>
#include <cstdlib>
#include <exception>
#include <mutex>
#include <system_error>
#include <thread>

#if defined(_OPENMP)
#include <omp.h>
#else
#include <vector>
#endif

namespace lawfit {
namespace {
std::atomic<bool> serial_only{false};
constexpr int most_threads = 1024;  // a system that refuses a thread ends the process

#if !defined(_OPENMP)
thread_local bool in_parallel = false;  // as omp_in_parallel() says it

// What OpenMP would take: the variable that people set for it, or all processors.
int default_threads() {
    const char* given = std::getenv("OMP_NUM_THREADS");
    const long asked = given ? std::strtol(given, nullptr, 10) : 0;
    if (asked >= 1 && asked <= 4096) return static_cast<int>(asked);
    const unsigned processors = std::thread::hardware_concurrency();
    return processors > 0 ? static_cast<int>(processors) : 1;
}
#endif
}  // namespace

bool has_openmp() {
#if defined(_OPENMP)
    return true;
#else
    return false;
#endif
}

void set_serial_only() { serial_only.store(true); }

int thread_count(int requested) {
#if defined(_OPENMP)
    if (serial_only.load() || omp_in_parallel()) return 1;
    return requested > 0 ? std::min(requested, most_threads) : omp_get_max_threads();
#else
    if (serial_only.load() || in_parallel) return 1;
    return requested > 0 ? std::min(requested, most_threads) : default_threads();
#endif
}

void run_parallel(long tasks, int threads, Monitor& monitor,
                  const std::function<void(long task, int worker)>& body) {
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
            in_parallel = true;
            work(number);
            in_parallel = false;
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
