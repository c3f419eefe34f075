// Which build of the kernels runs: chosen once from what the processor offers, or by LAWFIT_ISA.
#include <atomic>
#include <cstdlib>
#include <cstring>

#include <lawfit/kernels.hpp>

#if defined(_MSC_VER) && defined(_M_X64)
#include <immintrin.h>
#include <intrin.h>
#endif

namespace lawfit::kernels {

extern const KernelTable table_baseline;
#if defined(LAWFIT_HAVE_AVX2)
extern const KernelTable table_avx2;
#endif
#if defined(LAWFIT_HAVE_AVX512)
extern const KernelTable table_avx512;
#endif

const KernelTable* const available_builds[] = {
    &table_baseline,
#if defined(LAWFIT_HAVE_AVX2)
    &table_avx2,
#endif
#if defined(LAWFIT_HAVE_AVX512)
    &table_avx512,
#endif
    nullptr,
};

namespace {

#if defined(LAWFIT_HAVE_AVX2) || defined(LAWFIT_HAVE_AVX512)
#if defined(_MSC_VER)
bool cpu_bit(int leaf, int reg, int bit) {
    int r[4];
    __cpuidex(r, leaf, 0);
    return (r[reg] >> bit) & 1;
}
bool system_saves(unsigned long long mask) {
    return cpu_bit(1, 2, 27) && (_xgetbv(0) & mask) == mask;
}
bool has_avx2() { return cpu_bit(7, 1, 5) && cpu_bit(1, 2, 12) && system_saves(0x6); }
bool has_avx512() {
    return has_avx2() && cpu_bit(7, 1, 16) && cpu_bit(7, 1, 17) && cpu_bit(7, 1, 31) &&
           system_saves(0xe6);
}
#else
bool has_avx2() { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }
bool has_avx512() {
    return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512vl");
}
#endif
#endif

const KernelTable* find(const char* name) {
    for (int i = 0; available_builds[i]; ++i)
        if (std::strcmp(available_builds[i]->name, name) == 0) return available_builds[i];
    return nullptr;
}

const KernelTable* choose() {
    if (const char* wanted = std::getenv("LAWFIT_ISA")) {
        const KernelTable* table = find(wanted);
        if (table && runs_here(*table)) return table;
    }
    const KernelTable* best = available_builds[0];
    for (int i = 0; available_builds[i]; ++i)
        if (runs_here(*available_builds[i])) best = available_builds[i];
    return best;
}

std::atomic<const KernelTable*> chosen{nullptr};

}  // namespace

bool runs_here(const KernelTable& table) {
#if defined(LAWFIT_HAVE_AVX2)
    if (&table == &table_avx2) return has_avx2();
#endif
#if defined(LAWFIT_HAVE_AVX512)
    if (&table == &table_avx512) return has_avx512();
#endif
    return &table == available_builds[0];
}

const KernelTable& active() {
    const KernelTable* table = chosen.load(std::memory_order_acquire);
    if (!table) {
        table = choose();
        chosen.store(table, std::memory_order_release);
    }
    return *table;
}

bool select(const char* name) {
    const KernelTable* table = find(name);
    if (!table || !runs_here(*table)) return false;
    chosen.store(table, std::memory_order_release);
    return true;
}

}  // namespace lawfit::kernels
