// Tells ThreadSanitizer what it cannot see in libgomp, which is not instrumented: a parallel region
// starts after what its caller did before, and the caller goes on after what the region did. Races
// between the threads of a region stay visible, which a list of suppressions would hide.
#include <dlfcn.h>
#include <sanitizer/tsan_interface.h>

namespace {

struct Region {
    void (*body)(void*);
    void* data;
    char start = 0, end = 0;  // only their addresses count
};

void run(void* argument) {
    Region& region = *static_cast<Region*>(argument);
    __tsan_acquire(&region.start);
    region.body(region.data);
    __tsan_release(&region.end);
}

}  // namespace

// In place of libgomp's function of this name, into which the compiler turns `#pragma omp parallel`.
extern "C" __attribute__((visibility("default"), no_sanitize("thread"))) void GOMP_parallel(
    void (*body)(void*), void* data, unsigned threads, unsigned flags) {
    using Function = void (*)(void (*)(void*), void*, unsigned, unsigned);
    static const auto next = reinterpret_cast<Function>(dlsym(RTLD_NEXT, "GOMP_parallel"));
    Region region{body, data};
    __tsan_release(&region.start);
    next(run, &region, threads, flags);
    __tsan_acquire(&region.end);
}
