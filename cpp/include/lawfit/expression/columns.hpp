// A table bound to a program: the columns that its row operations read, padded and ready for blocks.
#pragma once

#include <vector>

#include <lawfit/aligned.hpp>
#include <lawfit/expression/layout.hpp>
#include <lawfit/expression/program.hpp>

namespace lawfit {

// Keeps what row operations read and nothing else, so that a large table costs little more than that.
class BoundColumns {
public:
    // input[k] holds layout.rows() values of program.columns()[k]. Runs the data operations.
    BoundColumns(const Program& program, const std::vector<const double*>& input, RowLayout layout);
    BoundColumns(const Program& program, const std::vector<const double*>& input, int rows)
        : BoundColumns(program, input, RowLayout(rows)) {}

    // Reads all columns again, which have other values now.
    void refill(const Program& program, const std::vector<const double*>& input);

    const RowLayout& layout() const { return layout_; }
    int rows() const { return layout_.rows(); }
    int padded() const { return layout_.padded(); }
    // Whether all that row operations read is finite.
    bool finite() const { return finite_; }
    // Null for ids that no row operation reads.
    const double* column(int varying_id) const {
        const Buffer& b = columns_[static_cast<std::size_t>(varying_id)];
        return b.empty() ? nullptr : b.data();
    }

    // Least and largest value of such a column in a block.
    struct Range {
        double low, high;
    };
    const Range& range(int varying_id, int block) const {
        return ranges_[static_cast<std::size_t>(block) * columns_.size() +
                       static_cast<std::size_t>(varying_id)];
    }

private:
    RowLayout layout_;
    bool finite_ = true;
    std::vector<Buffer> columns_;
    std::vector<double> slots_;  // uniform ones that data operations read
    Buffer work_;                // a block of all columns, on the way to those that are kept
    std::vector<Range> ranges_;  // (blocks, varying ids)
};

}  // namespace lawfit
