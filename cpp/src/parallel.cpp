#include <lawfit/parallel.hpp>

#include <algorithm>
#include <cstdlib>

namespace lawfit {
namespace {
std::atomic<bool> serial_only{false};
constexpr int most_threads = 1024;  // a system that refuses a thread ends the process

#if !defined(_OPENMP)
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
    if (serial_only.load() || detail::in_parallel) return 1;
    return requested > 0 ? std::min(requested, most_threads) : default_threads();
#endif
}

}  // namespace lawfit
