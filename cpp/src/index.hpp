// Signed numbers as indices and offsets of the standard library.
#pragma once

#include <cstddef>
#include <cstdint>

namespace lawfit {

inline std::size_t index(std::int64_t i) { return static_cast<std::size_t>(i); }
inline std::ptrdiff_t offset(int i, int stride) { return static_cast<std::ptrdiff_t>(i) * stride; }

}  // namespace lawfit
