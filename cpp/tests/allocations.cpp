#include "allocations.hpp"

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <new>
#if defined(_WIN32)
#include <malloc.h>
#endif

namespace {
std::atomic<long> made{0};
}

long allocations::count() { return made; }

#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)

// All of operator new, Eigen's memory and C's ends up in these.
#define LAWFIT_EXPORT extern "C" __attribute__((visibility("default")))
extern "C" void* __libc_malloc(std::size_t size);
extern "C" void* __libc_calloc(std::size_t count, std::size_t size);
extern "C" void* __libc_realloc(void* old, std::size_t size);
extern "C" void* __libc_memalign(std::size_t alignment, std::size_t size);

LAWFIT_EXPORT void* malloc(std::size_t size) noexcept {
    ++made;
    return __libc_malloc(size);
}
LAWFIT_EXPORT void* calloc(std::size_t count, std::size_t size) noexcept {
    ++made;
    return __libc_calloc(count, size);
}
LAWFIT_EXPORT void* realloc(void* old, std::size_t size) noexcept {
    ++made;
    return __libc_realloc(old, size);
}
LAWFIT_EXPORT void* aligned_alloc(std::size_t alignment, std::size_t size) noexcept {
    ++made;
    return __libc_memalign(alignment, size);
}
LAWFIT_EXPORT int posix_memalign(void** out, std::size_t alignment, std::size_t size) noexcept {
    ++made;
    *out = __libc_memalign(alignment, size);
    return *out ? 0 : ENOMEM;
}

bool allocations::includes_malloc() { return true; }

#else

namespace {
void* aligned(std::size_t size, std::size_t alignment) {
#if defined(_WIN32)
    return _aligned_malloc(size, alignment);
#else
    void* p = nullptr;
    return posix_memalign(&p, alignment, size) == 0 ? p : nullptr;
#endif
}
void release_aligned(void* p) {
#if defined(_WIN32)
    _aligned_free(p);
#else
    std::free(p);
#endif
}
}  // namespace

void* operator new(std::size_t size) {
    ++made;
    if (void* p = std::malloc(size)) return p;
    throw std::bad_alloc();
}
void* operator new(std::size_t size, std::align_val_t alignment) {
    ++made;
    if (void* p = aligned(size, static_cast<std::size_t>(alignment))) return p;
    throw std::bad_alloc();
}
void operator delete(void* p) noexcept { std::free(p); }
void operator delete(void* p, std::size_t) noexcept { std::free(p); }
void operator delete(void* p, std::align_val_t) noexcept { release_aligned(p); }
void operator delete(void* p, std::size_t, std::align_val_t) noexcept { release_aligned(p); }

bool allocations::includes_malloc() { return false; }

#endif
