#include <lawfit/expression/columns.hpp>

#include <algorithm>
#include <stdexcept>
#include <string>

#include "index.hpp"
#include "run_operation.hpp"

namespace lawfit {
namespace {

// Side by side, which compilers vectorise. n is a multiple of kernels::row_multiple.
BoundColumns::Range range_of(const double* values, int n, bool& finite) {
    constexpr int lanes = kernels::row_multiple;
    double low[lanes], high[lanes], zero[lanes] = {};
    std::fill_n(low, lanes, values[0]);
    std::fill_n(high, lanes, values[0]);
    for (int i = 0; i < n; i += lanes)
        for (int j = 0; j < lanes; ++j) {
            const double v = values[i + j];
            low[j] = v < low[j] ? v : low[j];
            high[j] = v > high[j] ? v : high[j];
            zero[j] += 0.0 * v;  // NaN from the first value on that is not finite
        }
    BoundColumns::Range range{low[0], high[0]};
    for (int j = 0; j < lanes; ++j) {
        range.low = std::min(range.low, low[j]);
        range.high = std::max(range.high, high[j]);
        finite = finite && zero[j] == 0.0;
    }
    return range;
}

}  // namespace

BoundColumns::BoundColumns(const Program& program, const std::vector<const double*>& input,
                           RowLayout layout)
    : layout_(std::move(layout)), columns_(index(program.first_register())) {
    if (input.size() != index(program.column_count()))
        throw std::invalid_argument("columns: the program reads " +
                                    std::to_string(program.column_count()) + ", given " +
                                    std::to_string(input.size()));
    slots_.assign(index(program.first_uniform_operation()), 0.0);
    std::copy(program.constants().begin(), program.constants().end(),
              slots_.begin() + program.parameter_count());
    int shares = 0;
    for (const Operation& op : program.data_operations())
        shares = std::max(shares, share_columns(op));
    for (int id = 0; id < program.first_register(); ++id)
        if (program.column_is_read()[index(id)]) columns_[index(id)].resize(index(padded()));
    work_.resize(index((program.first_register() + shares) * layout_.largest_block()));
    refill(program, input);
}

// Block by block, so that columns on the way to others never exist as a whole.
void BoundColumns::refill(const Program& program, const std::vector<const double*>& input) {
    finite_ = true;
    const int stride = layout_.largest_block();
    const auto column = [&](int id) { return work_.data() + id * stride; };
    OperandScratch memory;
    ranges_.assign(layout_.blocks().size() * columns_.size(), {});
    Range* ranges = ranges_.data();
    for (const RowLayout::Block& block : layout_.blocks()) {
        for (int id = 0; id < program.column_count(); ++id)
            layout_.gather(input[index(id)], block, column(id));
        int id = program.column_count();
        for (const Operation& op : program.data_operations()) {
            run_operation(
                op, block.size, slots_.data(), column,
                [&](int k) { return column(program.first_register() + k); }, column(id), memory);
            ++id;
        }
        for (id = 0; id < program.first_register(); ++id) {
            if (columns_[index(id)].empty()) continue;
            const double* values = column(id);
            std::copy_n(values, block.size, columns_[index(id)].begin() + block.begin);
            bool finite = true;
            ranges[id] = range_of(values, block.size, finite);
            finite_ = finite_ && finite;
        }
        ranges += columns_.size();
    }
}

}  // namespace lawfit
