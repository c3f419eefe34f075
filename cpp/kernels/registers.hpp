// A register of doubles: its width in this build, and how it is loaded, stored and read as bits.
#pragma once

#include <cstddef>
#include <cstdint>

#include <lawfit/kernels.hpp>

#if defined(_MSC_VER)
#define LAWFIT_INLINE static __forceinline
#define LAWFIT_RESTRICT __restrict
#else
#define LAWFIT_INLINE static inline __attribute__((always_inline))
#define LAWFIT_RESTRICT __restrict__
#endif

#if defined(_MSC_VER)
#include <string.h>
#define LAWFIT_COPY memcpy
#else
#define LAWFIT_COPY __builtin_memcpy
#endif

namespace lawfit::kernels {
namespace {

// The rows of a block, told so that the compiler knows that none are left over after the last register:
// without the loops for those the kernels compile in half the time.
LAWFIT_INLINE int whole(int n) { return n & -row_multiple; }

LAWFIT_INLINE std::uint64_t bits_of(double x) {
    std::uint64_t u;
    LAWFIT_COPY(&u, &x, sizeof u);
    return u;
}
LAWFIT_INLINE double from_bits(std::uint64_t u) {
    double x;
    LAWFIT_COPY(&x, &u, sizeof x);
    return x;
}

#if defined(__GNUC__) && defined(__AVX512F__)
constexpr int width = 8;
#elif defined(__GNUC__) && defined(__AVX__)
constexpr int width = 4;
#elif defined(__GNUC__)
constexpr int width = 2;
#else
constexpr int width = 1;
#endif
#if defined(__GNUC__)
typedef double Vector __attribute__((vector_size(width * sizeof(double))));
LAWFIT_INLINE double lane(const Vector& v, int i) { return v[i]; }
typedef std::uint64_t Bits __attribute__((vector_size(width * sizeof(double))));
LAWFIT_INLINE Bits bits_of(const Vector& v) { return reinterpret_cast<Bits>(v); }
LAWFIT_INLINE Vector from_bits(const Bits& u) { return reinterpret_cast<Vector>(u); }
#else
typedef double Vector;
LAWFIT_INLINE double lane(const Vector& v, int) { return v; }
#endif
template <class T>
LAWFIT_INLINE T load(const double* p) {
    T v;
    LAWFIT_COPY(&v, p, sizeof v);
    return v;
}
LAWFIT_INLINE Vector load(const double* p) { return load<Vector>(p); }
template <class T>
LAWFIT_INLINE void store(double* p, const T& v) {
    LAWFIT_COPY(p, &v, sizeof v);
}

LAWFIT_INLINE double sum(Vector v) {
#if defined(__GNUC__) && defined(__AVX512F__)
    v += Vector{v[4], v[5], v[6], v[7], v[0], v[1], v[2], v[3]};
    v += Vector{v[2], v[3], v[0], v[1], v[6], v[7], v[4], v[5]};
    return v[0] + v[1];
#elif defined(__GNUC__) && defined(__AVX__)
    v += Vector{v[2], v[3], v[0], v[1]};
    return v[0] + v[1];
#else
    double s = 0.0;
    for (int i = 0; i < width; ++i) s += lane(v, i);
    return s;
#endif
}

#if defined(__GNUC__)  // elsewhere a register is one double
LAWFIT_INLINE double sum(double a) { return a; }
#endif

LAWFIT_INLINE Vector least(Vector a, Vector b) { return a < b ? a : b; }
LAWFIT_INLINE Vector most(Vector a, Vector b) { return a > b ? a : b; }

}  // namespace
}  // namespace lawfit::kernels
