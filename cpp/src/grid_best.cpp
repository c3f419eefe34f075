#include "grid_best.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include <lawfit/expression/evaluator.hpp>
#include <lawfit/kernels.hpp>

#include "grid_plan.hpp"

namespace lawfit {

GridLayout::GridLayout(const GridPlan& plan, const GridProblem& problem,
                       const std::vector<int>& along) {
    part.resize(plan.groups.size());
    std::int64_t outer = 1;
    for (int d = plan.inner(); d >= 0; --d) {
        const GridGroup& group = plan.groups[index(d)];
        std::int64_t size = 1;
        std::size_t members = 0;
        std::vector<std::int64_t>& here = part[index(d)];
        std::int64_t inside = 1;
        for (std::size_t m = group.axes.size(); m-- > 0;) {
            const int a = group.axes[m];
            const std::int64_t n = problem.axes[index(a)].size;
            if (std::find(along.begin(), along.end(), a) != along.end()) {
                here.resize(index(group.length), 0);
                for (std::int64_t i = 0; i < group.length; ++i)
                    here[index(i)] += i / inside % n * size;
                size *= n;
                ++members;
            }
            inside *= n;
        }
        if (d == plan.inner()) {
            inner_size = size;
            inner = members == 0                   ? Inner::none
                    : members == group.axes.size() ? Inner::all
                                                   : Inner::some;
        } else {
            for (std::int64_t& p : here) p *= outer;
            outer *= size;
        }
    }
    entries = outer * inner_size;
}

GridBest::GridBest(const GridPlan& plan, const GridProblem& problem,
                   const std::vector<GridLayout>& layouts)
    : plan_(plan), problem_(problem), layouts_(layouts), most_(index(problem.top)) {
    for (const GridLayout& layout : layouts) {
        const GridCandidate none;
        along_.push_back({std::vector<double>(index(layout.entries), none.value),
                          std::vector<std::int64_t>(index(layout.entries), none.cell)});
    }
}

void GridBest::offer(const GridCandidate& candidate) {
    if (top_.size() == most_) {
        if (!(candidate < top_.front())) return;
        std::pop_heap(top_.begin(), top_.end());
        top_.back() = candidate;
    } else {
        top_.push_back(candidate);
    }
    std::push_heap(top_.begin(), top_.end());
}

void GridBest::Table::improve(std::int64_t entry, const GridCandidate& by) {
    const auto e = index(entry);
    if (by < GridCandidate{value[e], cell[e]}) {
        value[e] = by.value;
        cell[e] = by.cell;
    }
}

void GridBest::add(const GridCells& cells) {
    const kernels::KernelTable& k = kernels::active();
    const double* values = cells.values;
    const std::int64_t* cell = plan_.groups[index(plan_.inner())].cell.data() + cells.start;
    // No cell comes before this one.
    const GridCandidate bound{cells.least, cells.base + cell[0]};
    if (top_.size() < most_ || bound < top_.front())
        for (int i = 0; i < cells.count; ++i)
            if (values[i] == values[i] && (top_.size() < most_ || values[i] <= top_.front().value))
                offer({values[i], cells.base + cell[i]});
    for (std::size_t t = 0; t < layouts_.size(); ++t) {
        const GridLayout& layout = layouts_[t];
        Table& table = along_[t];
        std::int64_t entry = 0;
        for (int d = 0; d < plan_.inner(); ++d)
            if (!layout.part[index(d)].empty())
                entry += layout.part[index(d)][index(cells.outer[d])];
        entry *= layout.inner_size;
        const auto e = index(entry);
        if (layout.inner == GridLayout::Inner::none) {
            if (bound < GridCandidate{table.value[e], table.cell[e]}) {
                const int i = k.grid_find(cells.count, values, cells.least);
                table.improve(entry, {cells.least, cells.base + cell[i]});
            }
        } else if (layout.inner == GridLayout::Inner::all) {
            const auto at = e + index(cells.start);
            k.grid_improve(cells.count, values, cells.base, cell, table.value.data() + at,
                           table.cell.data() + at);
        } else {
            const std::int64_t* part = layout.part[index(plan_.inner())].data() + cells.start;
            for (int i = 0; i < cells.count; ++i)
                if (values[i] == values[i])
                    table.improve(entry + part[i], {values[i], cells.base + cell[i]});
        }
    }
}

void GridBest::add(const GridBest& other) {
    for (const GridCandidate& candidate : other.top_) offer(candidate);
    for (std::size_t t = 0; t < along_.size(); ++t)
        for (std::int64_t e = 0; e < layouts_[t].entries; ++e)
            along_[t].improve(e, {other.along_[t].value[index(e)], other.along_[t].cell[index(e)]});
}

// The objective at cells.
std::vector<double> GridBest::values_at(const std::vector<std::int64_t>& cells) const {
    const Program& program = *problem_.objective.program;
    std::vector<double> values;
    constexpr std::size_t chunk = 1 << 16;
    std::vector<std::vector<double>> columns(index(program.column_count()));
    for (std::size_t start = 0; start < cells.size(); start += chunk) {
        const std::size_t n = std::min(chunk, cells.size() - start);
        std::vector<const double*> pointers;
        for (std::size_t k = 0; k < columns.size(); ++k) {
            std::int64_t stride = 1;
            columns[k].resize(n);
            for (std::size_t a = problem_.axes.size(); a-- > 0;) {
                const GridAxis& axis = problem_.axes[a];
                if (axis.name == program.columns()[k])
                    for (std::size_t i = 0; i < n; ++i)
                        columns[k][i] = axis.values[cells[start + i] / stride % axis.size];
                stride *= axis.size;
            }
            pointers.push_back(columns[k].data());
        }
        const BoundColumns bound(program, pointers, static_cast<int>(n));
        Evaluator evaluator(program, bound);
        evaluator.set_parameters(problem_.objective.parameters);
        for (int b = 0; b < evaluator.block_count(); ++b) {
            const double* z = evaluator.forward(b);
            const auto at = index(b) * block_rows;
            values.insert(values.end(), z, z + std::min<std::size_t>(block_rows, n - at));
        }
    }
    return values;
}

// Best first.
GridTable GridBest::top() const {
    std::vector<GridCandidate> top = top_;
    std::sort(top.begin(), top.end());
    GridTable table;
    for (const GridCandidate& c : top) table.cell.push_back(c.cell);
    table.value = values_at(table.cell);
    const double sign = problem_.maximize ? -1.0 : 1.0;
    for (std::size_t i = 0; i < top.size(); ++i) {
        const double v = sign * table.value[i];
        top[i].value = std::isnan(v) ? std::numeric_limits<double>::infinity() : v;
    }
    std::vector<std::size_t> order(top.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::sort(order.begin(), order.end(),
              [&](std::size_t a, std::size_t b) { return top[a] < top[b]; });
    GridTable sorted;
    for (const std::size_t i : order) {
        sorted.cell.push_back(table.cell[i]);
        sorted.value.push_back(table.value[i]);
    }
    return sorted;
}

// Best cells along axes, in the order of these.
GridTable GridBest::in_order(const std::vector<int>& along, const Table& found) const {
    std::vector<std::int64_t> stride(problem_.axes.size(), 1);
    for (std::size_t a = problem_.axes.size() - 1; a-- > 0;)
        stride[a] = stride[a + 1] * problem_.axes[a + 1].size;
    GridTable table;
    table.cell.assign(found.cell.size(), -1);
    table.value.assign(found.cell.size(), std::numeric_limits<double>::quiet_NaN());
    std::vector<std::int64_t> cells, entries;
    for (const std::int64_t cell : found.cell) {
        if (cell == GridCandidate::no_cell) continue;
        std::int64_t entry = 0;
        for (const int a : along)
            entry = entry * problem_.axes[index(a)].size +
                    cell / stride[index(a)] % problem_.axes[index(a)].size;
        entries.push_back(entry);
        cells.push_back(cell);
    }
    const std::vector<double> values = values_at(cells);
    for (std::size_t i = 0; i < cells.size(); ++i) {
        table.cell[index(entries[i])] = cells[i];
        table.value[index(entries[i])] = values[i];
    }
    return table;
}

std::vector<GridTable> GridBest::along() const {
    std::vector<GridTable> tables;
    for (std::size_t t = 0; t < along_.size(); ++t)
        tables.push_back(in_order(problem_.along[t], along_[t]));
    return tables;
}

}  // namespace lawfit
