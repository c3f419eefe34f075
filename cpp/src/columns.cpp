#include <lawfit/expression/columns.hpp>

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <string>

#include <lawfit/kernels.hpp>

#include "run_operation.hpp"

namespace lawfit {

int padded_rows(int rows) {
    return (rows + kernels::row_multiple - 1) / kernels::row_multiple * kernels::row_multiple;
}

Buffer padded_copy(const double* values, int rows, double fill) {
    Buffer b(static_cast<std::size_t>(padded_rows(rows)), fill);
    std::copy(values, values + rows, b.begin());
    return b;
}

Buffer padded_copy(const double* values, int rows) {
    return padded_copy(values, rows, rows > 0 ? values[rows - 1] : 0.0);
}

BoundColumns::BoundColumns(const Program& program, const std::vector<const double*>& input,
                           int rows)
    : rows_(rows),
      padded_(padded_rows(rows)),
      columns_(static_cast<std::size_t>(program.first_register())) {
    const auto index = [](int i) { return static_cast<std::size_t>(i); };
    if (input.size() != index(program.column_count()))
        throw std::invalid_argument("columns: the program reads " +
                                    std::to_string(program.column_count()) + ", given " +
                                    std::to_string(input.size()));
    for (int k = 0; k < program.column_count(); ++k)
        columns_[index(k)] = padded_copy(input[index(k)], rows);

    std::vector<double> slots(index(program.first_uniform_operation()), 0.0);
    std::copy(program.constants().begin(), program.constants().end(),
              slots.begin() + program.parameter_count());

    Buffer scratch;
    int id = program.column_count();
    for (const Operation& op : program.data_operations()) {
        Buffer& out = columns_[index(id++)];
        out.resize(index(padded_));
        const int shares = share_columns(op);
        scratch.resize(index(shares * block_rows));
        for (int start = 0; start < padded_; start += block_rows) {
            const int n = std::min(block_rows, padded_ - start);
            OperandScratch memory;
            run_operation(
                op, n, slots.data(), [&](int i) { return columns_[index(i)].data() + start; },
                [&](int k) { return scratch.data() + k * block_rows; }, out.data() + start, memory);
        }
    }
    for (int k = 0; k < program.first_register(); ++k) {
        Buffer& column = columns_[index(k)];
        if (!program.column_is_read()[index(k)]) Buffer().swap(column);
        finite_ = finite_ && std::all_of(column.begin(), column.end(),
                                         [](double x) { return std::isfinite(x); });
    }
}

}  // namespace lawfit
