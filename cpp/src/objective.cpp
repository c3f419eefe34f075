#include <lawfit/objective/objective.hpp>

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "index.hpp"
#include "tail.hpp"

namespace lawfit {
namespace {

// Some 30 microseconds of work at least: less is not worth handing to a thread.
constexpr int chunk_rows = 16 * block_rows;

// Coordinates up to which zeros in the second derivatives are not worth avoiding.
constexpr int most_full = 64;

void require(bool condition, const char* message) {
    if (!condition) throw std::invalid_argument(message);
}

RowLayout layout_of(const Objective::Data& data) {
    require(data.rows > 0, "objective: no rows");
    if (data.segment_rows.empty()) return RowLayout(data.rows);
    require(static_cast<int>(data.order.size()) == data.rows, "objective: one place per row");
    return RowLayout(data.order, data.segment_rows);
}

Buffer gathered(const RowLayout& layout, const double* values) {
    Buffer out(index(layout.padded()));
    for (const RowLayout::Block& block : layout.blocks())
        layout.gather(values, block, out.data() + block.begin);
    return out;
}

}  // namespace

bool loss_kind_from_name(const std::string& name, LossKind& kind) {
    if (name == "squared")
        kind = LossKind::squared;
    else if (name == "linear")
        kind = LossKind::linear;
    else if (name == "cauchy")
        kind = LossKind::cauchy;
    else if (name == "logcosh")
        kind = LossKind::logcosh;
    else
        return false;
    return true;
}

Objective::Objective(std::shared_ptr<const Program> program, const Data& data, const Terms& terms,
                     Parameterisation parameterisation, Bounds bounds,
                     std::vector<Penalty> penalties)
    : program_(std::move(program)),
      columns_(*program_, data.columns, layout_of(data)),
      terms_(terms),
      parameterisation_(std::move(parameterisation)),
      bounds_(std::move(bounds)),
      penalties_(std::move(penalties)) {
    require(
        parameterisation_.source.size() ==
                index(layout().segment_count()) * index(program_->parameter_count()) &&
            parameterisation_.value.size() == parameterisation_.source.size(),
        "objective: one source and one value per segment and parameter of the program are needed");
    for (const int s : parameterisation_.source)
        require(s >= -1 && s < parameterisation_.free_count, "objective: a source does not exist");
    require(bounds_.lower.size() == dimension() && bounds_.upper.size() == dimension() &&
                bounds_.typical.size() == dimension(),
            "objective: one bound and one typical size per free parameter are needed");
    require((bounds_.lower.array() <= bounds_.upper.array()).all(),
            "objective: a lower bound is above its upper bound");
    require((bounds_.typical.array() > 0).all(), "objective: typical sizes must be positive");

    target_ = gathered(layout(), data.target);
    if (data.target_transform != Opcode::count_) {
        require(is_unary(data.target_transform), "objective: the target's transform is not unary");
        const auto transform =
            kernels::active().unary_forward[static_cast<int>(data.target_transform)];
        Buffer before(index(layout().largest_block()));
        for (const RowLayout::Block& block : layout().blocks()) {
            double* values = target_.data() + block.begin;
            std::copy_n(values, block.size, before.begin());
            transform(block.size, before.data(), values);
        }
    }
    if (data.weight) {
        weight_ = gathered(layout(), data.weight);
        for (const RowLayout::Block& block : layout().blocks())
            std::fill_n(weight_.begin() + block.begin + block.rows, block.size - block.rows, 0.0);
    }
    if (data.sigma) {
        row_factor_ = gathered(layout(), data.sigma);
        for (double& f : row_factor_) f = 1.0 / f;
    }
    if (data.side) {
        require(!terms_.scale_is_fitted || has_tail(terms_.loss),
                "objective: under this loss a censored row has no likelihood");
        side_ = gathered(layout(), data.side);
    }
    for (const Penalty& penalty : penalties_) {
        require(penalty.index.size() == penalty.coefficient.size(),
                "objective: a penalty needs one coefficient per index");
        for (const int i : penalty.index)
            require(i >= 0 && i < dimension(), "objective: a penalty's index does not exist");
    }
    find_coordinates();
    find_pattern();
    cut_into_chunks();
}

void Objective::find_coordinates() {
    const int parameters = program_->parameter_count();
    leaves_are_parameters_ = std::all_of(program_->leaves().begin(), program_->leaves().end(),
                                         [&](int slot) { return slot < parameters; });
    std::vector<int> column_parameter;
    if (leaves_are_parameters_)
        column_parameter = program_->leaves();
    else
        for (int k = 0; k < parameters; ++k) column_parameter.push_back(k);
    local_count_ = static_cast<int>(column_parameter.size()) + (terms_.scale_is_fitted ? 1 : 0);
    for (int s = 0; s < layout().segment_count(); ++s) {
        const int* source = parameterisation_.source.data() + offset(s, parameters);
        for (const int k : column_parameter) coordinates_.push_back(source[k]);
        if (terms_.scale_is_fitted) coordinates_.push_back(dimension() - 1);
    }
}

void Objective::find_pattern() {
    const int n = dimension(), segments = layout().segment_count();
    const auto for_each_pair = [&](auto body) {
        for (int s = 0; s < segments; ++s)
            for (int p = 0; p < local_count_; ++p)
                for (int q = 0; q <= p; ++q) body(coordinates(s)[p], coordinates(s)[q]);
    };
    if (segments > 1 && n > most_full) {
        std::vector<std::pair<int, int>> pairs;
        for_each_pair([&](int i, int j) {
            if (i >= 0 && j >= 0) pairs.emplace_back(i, j);
        });
        for (const Penalty& penalty : penalties_)
            for (const int i : penalty.index)
                for (const int j : penalty.index)
                    if (j <= i) pairs.emplace_back(i, j);
        auto found = std::make_shared<SymmetricPattern>(n, pairs);
        if (4.0 * found->count() < 0.5 * n * (n + 1.0)) pattern_ = std::move(found);
    }
    if (!pattern_) pattern_ = std::make_shared<SymmetricPattern>(n);
    for_each_pair(
        [&](int i, int j) { entries_.push_back(i >= 0 && j >= 0 ? pattern_->find(i, j) : -1); });
    for (int s = 0; s < segments; ++s) {
        const int* c = coordinates(s);
        for (int p = 0; p < local_count_; ++p)
            has_ties_ = has_ties_ || (c[p] >= 0 && std::find(c, c + p, c[p]) != c + p);
    }
}

void Objective::cut_into_chunks() {
    const auto& blocks = layout().blocks();
    const int count = static_cast<int>(blocks.size());
    int rows_in_task = chunk_rows;
    for (int b = 0; b < count;) {
        Chunk chunk{b, b, blocks[index(b)].segment};
        int rows = 0;
        while (chunk.end < count && rows < chunk_rows &&
               blocks[index(chunk.end)].segment == chunk.segment)
            rows += blocks[index(chunk.end++)].size;
        if (rows_in_task + rows > chunk_rows) {
            tasks_.push_back(static_cast<int>(chunks_.size()));
            rows_in_task = 0;
        }
        rows_in_task += rows;
        chunks_.push_back(chunk);
        b = chunk.end;
    }
    tasks_.push_back(static_cast<int>(chunks_.size()));
}

}  // namespace lawfit
