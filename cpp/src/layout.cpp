#include <lawfit/expression/layout.hpp>

#include <algorithm>
#include <stdexcept>
#include <utility>

#include <lawfit/kernels.hpp>

#include "index.hpp"

namespace lawfit {
int padded_rows(int rows) {
    return (rows + kernels::row_multiple - 1) / kernels::row_multiple * kernels::row_multiple;
}

RowLayout::RowLayout(int rows) { add_segment(rows); }

RowLayout::RowLayout(std::vector<int> order, const std::vector<int>& segment_rows)
    : order_(std::move(order)) {
    const int rows = static_cast<int>(order_.size());
    for (const int n : segment_rows) {
        if (n < 1 || n > rows - rows_)
            throw std::invalid_argument(
                "layout: a segment is empty or has more rows than are left");
        add_segment(n);
    }
    if (rows_ != rows) throw std::invalid_argument("layout: rows are left over");
    place_.assign(index(rows), -1);
    for (const Block& b : blocks_)
        for (int k = 0; k < b.rows; ++k) {
            const int row = order_[index(b.first + k)];
            if (row < 0 || row >= rows || place_[index(row)] >= 0)
                throw std::invalid_argument("layout: the order names a row twice or one too many");
            place_[index(row)] = b.begin + k;
        }
}

void RowLayout::add_segment(int rows) {
    for (int done = 0; done < rows; done += block_rows) {
        const int n = std::min(block_rows, rows - done);
        blocks_.push_back({padded(), padded_rows(n), n, rows_, segments_});
        rows_ += n;
    }
    ++segments_;
}

int RowLayout::largest_block() const {
    int most = 0;
    for (const Block& block : blocks_) most = std::max(most, block.size);
    return most;
}

void RowLayout::gather(const double* values, const Block& block, double* out) const {
    if (order_.empty()) {
        std::copy_n(values + block.first, block.rows, out);
    } else {
        for (int k = 0; k < block.rows; ++k) out[k] = values[order_[index(block.first + k)]];
    }
    std::fill(out + block.rows, out + block.size, out[block.rows - 1]);
}

}  // namespace lawfit
