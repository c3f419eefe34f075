// A growable array of doubles on a 64-byte boundary: what the kernels read and write.
#pragma once

#include <cstddef>
#include <cstdlib>
#include <new>
#include <vector>

namespace lawfit {

template <class T>
struct AlignedAllocator {
    using value_type = T;
    AlignedAllocator() = default;
    template <class U>
    AlignedAllocator(const AlignedAllocator<U>&) {}
    T* allocate(std::size_t n) {
        return static_cast<T*>(::operator new(n * sizeof(T), std::align_val_t(64)));
    }
    void deallocate(T* p, std::size_t) { ::operator delete(p, std::align_val_t(64)); }
    bool operator==(const AlignedAllocator&) const { return true; }
    bool operator!=(const AlignedAllocator&) const { return false; }
};

using Buffer = std::vector<double, AlignedAllocator<double>>;

}  // namespace lawfit
