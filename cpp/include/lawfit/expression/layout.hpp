// Where the rows of a table stand in memory: segment after segment, each in padded blocks.
#pragma once

#include <cstddef>
#include <vector>

#include <lawfit/kernels.hpp>

namespace lawfit {

using kernels::block_rows;

// Rows rounded up to what the kernels want.
int padded_rows(int rows);

// Rows of one segment share the values of all parameters. A plain table is one segment in its own
// order.
class RowLayout {
public:
    // At most block_rows rows of one segment.
    struct Block {
        int begin;  // place of the first row in memory
        int size;   // with padding
        int rows;   // without
        int first;  // number of rows in the blocks before
        int segment;
    };

    explicit RowLayout(int rows);
    // Segment s holds the next segment_rows[s] of the rows order[0], order[1], ... Throws
    // std::invalid_argument when a segment is empty or the rows are not all there, each once.
    RowLayout(std::vector<int> order, const std::vector<int>& segment_rows);

    int rows() const { return rows_; }
    int padded() const { return blocks_.empty() ? 0 : blocks_.back().begin + blocks_.back().size; }
    int segment_count() const { return segments_; }
    // Rows of the largest block, with padding.
    int largest_block() const;
    const std::vector<Block>& blocks() const { return blocks_; }

    // Copies a column's values of one block and repeats the last one in the padding. values: (rows,)
    void gather(const double* values, const Block& block, double* out) const;
    // Where row i of the table stands.
    int place(int i) const { return place_.empty() ? i : place_[static_cast<std::size_t>(i)]; }

private:
    void add_segment(int rows);

    int rows_ = 0;
    int segments_ = 0;
    std::vector<Block> blocks_;
    std::vector<int> order_;  // empty: as in the table
    std::vector<int> place_;  // empty: as in the table
};

}  // namespace lawfit
