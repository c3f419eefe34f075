// What a test is written with: CHECK, CHECK_CLOSE and a main that counts. Include it once per
// program, from the file that defines run_tests(). Only for the main thread.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <exception>

namespace check {
inline int passed = 0, failed = 0;

inline void count(bool ok, const char* file, int line, const char* what) {
    ++(ok ? passed : failed);
    if (!ok) std::fprintf(stderr, "%s:%d: not true: %s\n", file, line, what);
}

// |a - b| <= tolerance max(1, |b|); false for NaN.
inline void close(double a, double b, double tolerance, const char* file, int line,
                  const char* what) {
    const bool ok = std::fabs(a - b) <= tolerance * std::max(1.0, std::fabs(b));
    if (!ok) std::fprintf(stderr, "%.17g is not near %.17g\n", a, b);
    count(ok, file, line, what);
}
}  // namespace check

#define CHECK(condition) check::count((condition), __FILE__, __LINE__, #condition)
#define CHECK_CLOSE(a, b, tolerance) check::close(a, b, tolerance, __FILE__, __LINE__, #a " ~ " #b)

void run_tests();

int main() {
    try {
        run_tests();
    } catch (const std::exception& error) {
        check::count(false, __FILE__, __LINE__, error.what());
    }
    std::printf("%d passed, %d failed\n", check::passed, check::failed);
    return check::failed == 0 ? 0 : 1;
}
