// Counter-based random numbers: the n-th number of a task is a function of (seed, task, n) alone, so
// that results do not depend on threads, processes or order.
//
// Philox 4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011).
#pragma once

#include <array>
#include <cstdint>

namespace lawfit {

class Philox {
public:
    Philox(std::uint64_t seed, std::uint64_t task)
        : key_{static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32)},
          counter_{0, 0, static_cast<std::uint32_t>(task), static_cast<std::uint32_t>(task >> 32)} {
    }

    std::uint32_t next() {
        if (used_ == 4) {
            refill();
            used_ = 0;
        }
        return output_[used_++];
    }

    // Uniform integer in [0, n), without bias (Lemire's rejection).
    std::uint32_t below(std::uint32_t n) {
        std::uint64_t product = static_cast<std::uint64_t>(next()) * n;
        if (static_cast<std::uint32_t>(product) < n) {
            const std::uint32_t threshold = (0u - n) % n;
            while (static_cast<std::uint32_t>(product) < threshold)
                product = static_cast<std::uint64_t>(next()) * n;
        }
        return static_cast<std::uint32_t>(product >> 32);
    }

    // Uniform in (0, 1), of 52 bits.
    double uniform() {
        const double high = next() >> 6, low = next() >> 6;
        return (high * 67108864.0 + low + 0.5) / 4503599627370496.0;
    }

private:
    void refill() {
        std::array<std::uint32_t, 4> c = counter_;
        std::uint32_t k0 = key_[0], k1 = key_[1];
        for (int round = 0; round < 10; ++round) {
            const std::uint64_t a = 0xD2511F53ull * c[0], b = 0xCD9E8D57ull * c[2];
            c = {static_cast<std::uint32_t>(b >> 32) ^ c[1] ^ k0, static_cast<std::uint32_t>(b),
                 static_cast<std::uint32_t>(a >> 32) ^ c[3] ^ k1, static_cast<std::uint32_t>(a)};
            k0 += 0x9E3779B9u;
            k1 += 0xBB67AE85u;
        }
        output_ = c;
        if (++counter_[0] == 0) ++counter_[1];
    }

    std::array<std::uint32_t, 2> key_;
    std::array<std::uint32_t, 4> counter_;
    std::array<std::uint32_t, 4> output_{};
    std::size_t used_ = 4;
};

}  // namespace lawfit
