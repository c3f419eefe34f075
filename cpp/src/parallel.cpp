#include <lawfit/parallel.hpp>

namespace lawfit {
namespace {
std::atomic<bool> serial_only{false};
}

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
    return requested > 0 ? requested : omp_get_max_threads();
#else
    (void)requested;
    return 1;
#endif
}

}  // namespace lawfit
