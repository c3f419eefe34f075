// A table bound to a program: the columns that its row operations read, padded and ready for blocks.
#pragma once

#include <vector>

#include <lawfit/aligned.hpp>
#include <lawfit/expression/program.hpp>

namespace lawfit {

// Rows that are worked on at a time: small enough for all registers of a program to stay in cache.
constexpr int block_rows = 256;

// Rows rounded up to what the kernels want.
int padded_rows(int rows);

// Copies `rows` values and repeats the last one (or `fill`) up to the padded length.
Buffer padded_copy(const double* values, int rows);
Buffer padded_copy(const double* values, int rows, double fill);

class BoundColumns {
public:
    // input[k] holds `rows` values of program.columns()[k]. Runs the data operations.
    BoundColumns(const Program& program, const std::vector<const double*>& input, int rows);

    int rows() const { return rows_; }
    int padded() const { return padded_; }
    // Whether all that row operations read is finite.
    bool finite() const { return finite_; }
    // Null for ids that no row operation reads.
    const double* column(int varying_id) const {
        const Buffer& b = columns_[static_cast<std::size_t>(varying_id)];
        return b.empty() ? nullptr : b.data();
    }

private:
    int rows_;
    int padded_;
    bool finite_ = true;
    std::vector<Buffer> columns_;
};

}  // namespace lawfit
