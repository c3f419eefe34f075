// A worker allocates when it is made and never again, whatever it solves.
#include <atomic>
#include <cstdlib>
#include <memory>
#include <new>

#include <lawfit/solver/solver.hpp>

#include "check.hpp"
#include "problems.hpp"

namespace {
std::atomic<long> allocations{0};
}

#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
// All of operator new, Eigen's memory and C's ends up in these.
#define LAWFIT_EXPORT extern "C" __attribute__((visibility("default")))
extern "C" void* __libc_malloc(std::size_t size);
extern "C" void* __libc_calloc(std::size_t count, std::size_t size);
extern "C" void* __libc_realloc(void* old, std::size_t size);
extern "C" void* __libc_memalign(std::size_t alignment, std::size_t size);

LAWFIT_EXPORT void* malloc(std::size_t size) noexcept {
    ++allocations;
    return __libc_malloc(size);
}
LAWFIT_EXPORT void* calloc(std::size_t count, std::size_t size) noexcept {
    ++allocations;
    return __libc_calloc(count, size);
}
LAWFIT_EXPORT void* realloc(void* old, std::size_t size) noexcept {
    ++allocations;
    return __libc_realloc(old, size);
}
LAWFIT_EXPORT void* aligned_alloc(std::size_t alignment, std::size_t size) noexcept {
    ++allocations;
    return __libc_memalign(alignment, size);
}
LAWFIT_EXPORT int posix_memalign(void** out, std::size_t alignment, std::size_t size) noexcept {
    ++allocations;
    *out = __libc_memalign(alignment, size);
    return *out ? 0 : 12;  // ENOMEM
}
constexpr bool eigen_is_counted = true;
#else
// Elsewhere only what C++ asks for. The sanitizers know these pairs: new and delete both end in theirs.
void* operator new(std::size_t size) {
    ++allocations;
    if (void* p = std::malloc(size)) return p;
    throw std::bad_alloc();
}
void operator delete(void* p) noexcept { std::free(p); }
void operator delete(void* p, std::size_t) noexcept { std::free(p); }
#if !defined(_MSC_VER)
void* operator new(std::size_t size, std::align_val_t alignment) {
    ++allocations;
    void* p = nullptr;
    if (posix_memalign(&p, static_cast<std::size_t>(alignment), size) == 0) return p;
    throw std::bad_alloc();
}
void operator delete(void* p, std::align_val_t) noexcept { std::free(p); }
void operator delete(void* p, std::size_t, std::align_val_t) noexcept { std::free(p); }
#endif
constexpr bool eigen_is_counted = false;
#endif

using namespace problems;

namespace {

template <class Body>
long allocations_in(Body body) {
    const long before = allocations;
    body();
    return allocations - before;
}

// The counting counts.
void counting() {
    std::unique_ptr<double> single;
    Buffer aligned;
    Vector vector;
    CHECK(allocations_in([&] { single = std::make_unique<double>(1.0); }) == 1);
    CHECK(allocations_in([&] { aligned.resize(100); }) == 1);
    if (eigen_is_counted) CHECK(allocations_in([&] { vector.resize(100); }) == 1);
}

void solves(const Objective& objective) {
    ObjectiveEvaluator evaluator(objective);
    Solver solver(evaluator, {});
    Solution solution;
    Vector start = chinchilla_start(objective.dimension());
    solver.solve(start, solution);
    CHECK(allocations_in([&] { solver.solve(start, solution); }) == 0);
    start[0] += 0.3;
    start[3] = 0.3;
    CHECK(allocations_in([&] { solver.solve(start, solution); }) == 0);
    CHECK(succeeded(solution.status));
    start[1] = NAN;
    CHECK(allocations_in([&] { solver.solve(start, solution); }) == 0);
}

}  // namespace

void run_tests() {
    counting();
    const LossSpec losses[] = {LossSpec{}, huber(1e-3), linear_loss(1.0, 1.0, 0.0),
                               {LossKind::logcosh, 1.0, 1.0, 1e-2}};
    for (const int rows : {40, 600}) {  // a part of a block, and several blocks
        const Table table = chinchilla_table(rows, 0.01);
        for (const LossSpec& loss : losses) {
            solves(chinchilla_objective(table, loss));
            solves(chinchilla_objective(table, loss, true));
        }
        // A bound that holds at the minimum.
        Objective::Bounds bounds = no_bounds(5);
        bounds.upper[3] = 0.3;
        solves(objective_of(Program(chinchilla_parts()), table.columns(), table.target,
                            {huber(1e-3), false, 0.0}, bounds));
        solves(chinchilla_objective(chinchilla_table(rows, 0.0), huber(1e-3)));
    }
}
