// Philox against the vectors published with Random123, and the evenness of below().
#include <array>
#include <cstdint>
#include <vector>

#include <lawfit/random.hpp>

#include "check.hpp"

using lawfit::Philox;

namespace {

using Counter = std::array<std::uint32_t, 4>;
using Key = std::array<std::uint32_t, 2>;

// philox4x32-10 as the paper writes it. The class chooses the counter's lower words itself, so this
// twin meets the published vectors and the class meets the twin.
Counter philox(Counter c, Key k) {
    for (int round = 0; round < 10; ++round) {
        const std::uint64_t product0 = std::uint64_t{0xD2511F53} * c[0];
        const std::uint64_t product1 = std::uint64_t{0xCD9E8D57} * c[2];
        const auto high0 = static_cast<std::uint32_t>(product0 >> 32);
        const auto high1 = static_cast<std::uint32_t>(product1 >> 32);
        c = {high1 ^ c[1] ^ k[0], static_cast<std::uint32_t>(product1), high0 ^ c[3] ^ k[1],
             static_cast<std::uint32_t>(product0)};
        k = {k[0] + 0x9E3779B9u, k[1] + 0xBB67AE85u};
    }
    return c;
}

Counter four_of(Philox& random) {
    Counter out{};
    for (std::uint32_t& word : out) word = random.next();
    return out;
}

void published_vectors() {
    const std::uint32_t ones = 0xffffffff;
    CHECK(
        (philox({0, 0, 0, 0}, {0, 0}) == Counter{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
    CHECK((philox({ones, ones, ones, ones}, {ones, ones}) ==
           Counter{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
    CHECK((philox({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}) ==
           Counter{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
    Philox zero(0, 0);
    CHECK((four_of(zero) == Counter{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
}

// The task is the counter's upper half, the seed the key, the lower half counts blocks of four.
void layout() {
    const std::uint64_t seeds[] = {0, 1, 0x299f31d0a4093822, 0xffffffffffffffff};
    const std::uint64_t tasks[] = {0, 7, 0x0370734413198a2e, 0xffffffffffffffff};
    for (const std::uint64_t seed : seeds)
        for (const std::uint64_t task : tasks) {
            Philox random(seed, task);
            const Key key = {static_cast<std::uint32_t>(seed),
                             static_cast<std::uint32_t>(seed >> 32)};
            bool same = true;
            for (std::uint32_t block = 0; block < 100; ++block)
                same =
                    same && four_of(random) == philox({block, 0, static_cast<std::uint32_t>(task),
                                                       static_cast<std::uint32_t>(task >> 32)},
                                                      key);
            CHECK(same);
        }
}

// Chi-square of `draws` values of below(n), counted modulo `cells`, in standard deviations from its mean.
double unevenness(std::uint32_t n, std::uint32_t cells, int draws, bool& in_range) {
    Philox random(20240601, n);
    std::vector<double> count(cells, 0.0);
    for (int i = 0; i < draws; ++i) {
        const std::uint32_t value = random.below(n);
        in_range = in_range && value < n;
        count[value % cells] += 1.0;
    }
    const double expected = static_cast<double>(draws) / cells;
    double chi_square = 0.0;
    for (const double c : count) chi_square += (c - expected) * (c - expected) / expected;
    const double freedom = cells - 1.0;
    return (chi_square - freedom) / std::sqrt(2.0 * freedom);
}

void evenness() {
    bool in_range = true;
    for (const std::uint32_t n : {2u, 3u, 5u, 6u, 7u, 10u, 37u, 240u}) {
        const double z = unevenness(n, n, 200000, in_range);
        CHECK(-4.0 < z && z < 5.0);
    }
    // Three quarters of 2^32: without rejection every third value would come twice as often.
    CHECK(unevenness(0xC0000000u, 3, 200000, in_range) < 5.0);
    CHECK(in_range);
    Philox random(1, 1);
    CHECK(random.below(1) == 0);
}

}  // namespace

void run_tests() {
    published_vectors();
    layout();
    evenness();
}
