#include <lawfit/search/grid.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <stdexcept>

#include <lawfit/expression/evaluator.hpp>
#include <lawfit/kernels.hpp>

#include "grid_plan.hpp"

namespace lawfit {
namespace {

using Kind = GridNode::Kind;

constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr std::int64_t no_cell = std::numeric_limits<std::int64_t>::max();

// --- what is collected -----------------------------------------------------------------------------

// Values are those to be minimised; of equal ones the smaller cell is better.
struct Candidate {
    double value = infinity;
    std::int64_t cell = no_cell;
    bool operator<(const Candidate& other) const {
        return value < other.value || (value == other.value && cell < other.cell);
    }
};

// Where the cells of a table of best cells lie: entry = sum of the outer groups' parts * inner size
// + the innermost group's part.
struct Layout {
    std::vector<std::vector<std::int64_t>> part;  // by depth, (length,); empty: always 0
    std::int64_t inner_size = 1;
    std::int64_t entries = 1;
    enum class Inner { none, all, some } inner = Inner::none;
};

Layout layout_of(const GridPlan& plan, const GridProblem& problem, const std::vector<int>& table) {
    Layout layout;
    layout.part.resize(plan.groups.size());
    std::int64_t outer = 1;
    for (int d = plan.inner(); d >= 0; --d) {
        const GridGroup& group = plan.groups[index(d)];
        std::int64_t size = 1;
        std::size_t members = 0;
        std::vector<std::int64_t>& part = layout.part[index(d)];
        std::int64_t inside = 1;
        for (std::size_t m = group.axes.size(); m-- > 0;) {
            const int a = group.axes[m];
            const std::int64_t n = problem.axes[index(a)].size;
            if (std::find(table.begin(), table.end(), a) != table.end()) {
                part.resize(index(group.length), 0);
                for (std::int64_t i = 0; i < group.length; ++i)
                    part[index(i)] += i / inside % n * size;
                size *= n;
                ++members;
            }
            inside *= n;
        }
        if (d == plan.inner()) {
            layout.inner_size = size;
            layout.inner = members == 0                   ? Layout::Inner::none
                           : members == group.axes.size() ? Layout::Inner::all
                                                          : Layout::Inner::some;
        } else {
            for (std::int64_t& p : part) p *= outer;
            outer *= size;
        }
    }
    layout.entries = outer * layout.inner_size;
    return layout;
}

struct Table {
    std::vector<double> value;
    std::vector<std::int64_t> cell;
    void improve(std::int64_t entry, const Candidate& by) {
        const auto e = index(entry);
        if (by < Candidate{value[e], cell[e]}) {
            value[e] = by.value;
            cell[e] = by.cell;
        }
    }
};

struct Found {
    std::vector<Candidate> top;  // a heap, the worst in front
    std::vector<Table> along;
    std::int64_t cells = 0, feasible = 0, undefined = 0;

    void offer(const Candidate& c, std::size_t most) {
        if (top.size() == most) {
            if (!(c < top.front())) return;
            std::pop_heap(top.begin(), top.end());
            top.back() = c;
        } else {
            top.push_back(c);
        }
        std::push_heap(top.begin(), top.end());
    }
};

// --- the work and its division ---------------------------------------------------------------------

// A task is a segment of the innermost loop times some iterations of the outer ones: whole slabs of
// the outermost loop, or a part of one slab. Slabs are taken in an order that jumps about, so that a
// good cell is known early and most later ones are dismissed by one comparison.
struct Division {
    std::int64_t segments = 1;
    std::int64_t slabs = 1, slabs_per_task = 1, slab_tasks = 1;
    std::int64_t rows = 1, rows_per_task = 1, row_tasks = 1;  // of one slab
    std::int64_t step = 1;

    explicit Division(const GridPlan& plan) {
        const std::int64_t inner = plan.groups[index(plan.inner())].length;
        segments = (inner + grid_segment - 1) / grid_segment;
        const std::int64_t aim = std::max<std::int64_t>(
            {std::int64_t{1} << 15, std::min<std::int64_t>(plan.cells / 256, 1 << 21),
             plan.cells >> 30});
        const std::int64_t most_rows =
            std::max<std::int64_t>(1, aim / std::min(inner, grid_segment));
        if (plan.inner() > 0) slabs = plan.groups[0].length;
        std::int64_t aligned = 1;
        for (int d = plan.inner() - 1; d > 0; --d) {
            rows *= plan.groups[index(d)].length;
            if (rows <= most_rows) aligned = rows;
        }
        if (rows <= most_rows) {
            slabs_per_task = std::min(slabs, most_rows / rows);
            rows_per_task = rows;
        } else {
            rows_per_task = most_rows / aligned * aligned;
        }
        slab_tasks = (slabs + slabs_per_task - 1) / slabs_per_task;
        row_tasks = (rows + rows_per_task - 1) / rows_per_task;
        step = static_cast<std::int64_t>(0.6180339887498949 * static_cast<double>(slab_tasks));
        step = std::max<std::int64_t>(step, 1);
        while (std::gcd(step, slab_tasks) != 1) ++step;
    }

    std::int64_t tasks() const { return segments * slab_tasks * row_tasks; }
};

// One thread's loops.
class Walker {
public:
    Walker(const GridPlan& plan, const GridProblem& problem, const Division& division,
           const std::vector<Layout>& layouts)
        : plan_(plan),
          division_(division),
          layouts_(layouts),
          most_(index(problem.top)),
          coordinates_(plan.groups.size(), -1),
          open_(plan.groups.size(), 0),
          stores_(plan.nodes.size()),
          early_(plan.groups.size()),
          late_(plan.groups.size()),
          values_(grid_block),
          mask_(grid_block),
          spare_mask_(grid_block) {
        sort_constraints();
        sort_nodes();
        for (const Layout& layout : layouts) {
            found_.along.emplace_back();
            found_.along.back().value.assign(index(layout.entries), infinity);
            found_.along.back().cell.assign(index(layout.entries), no_cell);
        }
    }

    Found& found() { return found_; }

    void run(std::int64_t task) {
        const Division& d = division_;
        const std::int64_t row_task = task % d.row_tasks;
        const std::int64_t slab_task = task / d.row_tasks % d.slab_tasks * d.step % d.slab_tasks;
        const std::int64_t first_slab = slab_task * d.slabs_per_task;
        const std::int64_t last_slab = std::min(d.slabs, first_slab + d.slabs_per_task);
        const std::int64_t first_row = row_task * d.rows_per_task;
        const std::int64_t last_row = std::min(d.rows, first_row + d.rows_per_task);
        set_segment(task / d.row_tasks / d.slab_tasks);
        found_.cells += (last_slab - first_slab) * (last_row - first_row) * length_;
        if (!possible_ || !open_segment_) return;
        if (plan_.inner() == 0) return row();
        for (std::int64_t slab = first_slab; slab < last_slab; ++slab)
            if (set(0, slab)) visit(1, first_row, last_row);
    }

private:
    struct Summary {  // of the feasible places in a row
        std::int64_t first = 0, last = 0, count = 0;
    };
    struct RowConstraint {
        int node;
        bool once;  // per tick: one row is stored
        Summary summary;
    };

    // --- preparation ---

    void sort_constraints() {
        for (const int id : plan_.constraints) {
            const GridNode& node = plan_.node(id);
            if (node.mask == 0)
                possible_ = possible_ && constant_value(id) != 0.0;
            else if (plan_.per_cell(id))
                cell_constraints_.push_back(id);
            else if (node.mask >> plan_.inner() & 1)
                row_constraints_.push_back({id, node.trailing.size() == 1, {}});
            else
                gates_.push_back(id);
        }
    }

    double constant_value(int id) const { return plan_.node(id).constant; }

    // Nodes by the loop that computes them; first those that decide whether the loop goes on.
    void sort_nodes() {
        std::vector<char> decides(plan_.nodes.size(), 0);
        for (const int id : plan_.constraints) decides[index(id)] = 1;
        for (std::size_t i = plan_.nodes.size(); i-- > 0;)
            if (decides[i]) visit_operands(plan_.nodes[i], [&](int id) { decides[index(id)] = 1; });
        for (std::size_t i = 0; i < plan_.nodes.size(); ++i) {
            const GridNode& node = plan_.nodes[i];
            const int id = static_cast<int>(i);
            if (!node.needed) continue;
            if (plan_.per_cell(id)) {
                per_cell_.push_back(id);
                stores_[i].resize(grid_block);
            } else if (plan_.stored(id)) {
                (decides[i] ? early_ : late_)[index(node.tick + 1)].push_back(id);
                std::int64_t size = padded_rows(static_cast<int>(length(node.trailing.back())));
                for (std::size_t t = 0; t + 1 < node.trailing.size(); ++t)
                    size *= length(node.trailing[t]);
                stores_[i].resize(index(size));
            }
        }
    }

    std::int64_t length(int depth) const {
        const std::int64_t n = plan_.groups[index(depth)].length;
        return depth == plan_.inner() ? std::min(n, grid_segment) : n;
    }

    // --- the loops ---

    void set_segment(std::int64_t segment) {
        if (segment == segment_) return;
        segment_ = segment;
        begin_ = segment * grid_segment;
        length_ = std::min(grid_segment, plan_.groups[index(plan_.inner())].length - begin_);
        valid_ = 0;
        open_segment_ = compute(-1);
    }

    // Computes what changes with the coordinate at a depth. False if no cell below can be feasible.
    bool compute(int depth) {
        for (const int id : early_[index(depth + 1)]) fill(id);
        for (const int id : gates_)
            if (plan_.node(id).trailing.back() == depth &&
                value(id, plan_.inner(), 0).scalar == 0.0)
                return false;
        for (RowConstraint& c : row_constraints_) {
            if (!c.once || plan_.node(c.node).tick != depth) continue;
            c.summary = summary(value(c.node, plan_.inner(), 0).vector);
            if (c.summary.count == 0) return false;
        }
        for (const int id : late_[index(depth + 1)]) fill(id);
        return true;
    }

    bool set(int depth, std::int64_t coordinate) {
        if (valid_ <= depth || coordinates_[index(depth)] != coordinate) {
            coordinates_[index(depth)] = coordinate;
            valid_ = depth + 1;
            open_[index(depth)] = compute(depth);
        }
        return open_[index(depth)] != 0;
    }

    // Rows [first, last) of those below the coordinates set so far.
    void visit(int depth, std::int64_t first, std::int64_t last) {
        if (depth == plan_.inner()) return row();
        std::int64_t below = 1;
        for (int d = depth + 1; d < plan_.inner(); ++d) below *= plan_.groups[index(d)].length;
        for (std::int64_t c = first / below; c * below < last; ++c)
            if (set(depth, c))
                visit(depth + 1, std::max<std::int64_t>(first - c * below, 0),
                      std::min(last - c * below, below));
    }

    // --- nodes ---

    // The value of a node along a loop, at the current coordinates of all others.
    GridValue value(int id, int along, std::int64_t start) const {
        const GridNode& node = plan_.node(id);
        if (node.kind == Kind::constant) return {nullptr, node.constant};
        const double* at = stores_[index(id)].data();
        if (node.mask == plan_.all() && node.kind != Kind::table) return {at, 0.0};
        if (node.kind == Kind::table)
            at = node.values.data() + (node.trailing[0] == plan_.inner() ? begin_ : 0);
        for (std::size_t t = 0; t < node.trailing.size(); ++t)
            if (node.trailing[t] != along)
                at += coordinates_[index(node.trailing[t])] * node.stride[t];
        if (node.trailing.back() == along) return {at + start, 0.0};
        return {nullptr, *at};
    }

    void fill(int id) {
        const GridNode& node = plan_.node(id);
        fill(id, node, 0, stores_[index(id)].data());
    }

    void fill(int id, const GridNode& node, std::size_t t, double* out) {
        const int along = node.trailing[t];
        if (t + 1 < node.trailing.size()) {
            for (std::int64_t c = 0; c < length(along); ++c) {
                coordinates_[index(along)] = c;
                fill(id, node, t + 1, out + c * node.stride[t]);
            }
            return;
        }
        const std::int64_t n = padded_rows(
            static_cast<int>(along == plan_.inner() ? length_ : plan_.groups[index(along)].length));
        for (std::int64_t start = 0; start < n; start += grid_block)
            run(node, along, start, static_cast<int>(std::min<std::int64_t>(grid_block, n - start)),
                out + start);
    }

    void run(const GridNode& node, int along, std::int64_t start, int n, double* out) {
        evaluator_.run(
            node, plan_.slots.data(), n, [&](int id) { return value(id, along, start); }, out);
    }

    Summary summary(const double* row) const {
        Summary s;
        s.first = length_;
        for (std::int64_t i = 0; i < length_; ++i) {
            if (row[i] == 0.0) continue;
            s.first = std::min(s.first, i);
            s.last = i + 1;
            ++s.count;
        }
        return s;
    }

    // --- the innermost loop ---

    void row() {
        std::int64_t first = 0, last = length_;
        masks_.clear();
        for (const RowConstraint& c : row_constraints_) {
            const double* feasible = value(c.node, plan_.inner(), 0).vector;
            const Summary s = c.once ? c.summary : summary(feasible);
            first = std::max(first, s.first);
            last = std::min(last, s.last);
            if (s.count < s.last - s.first) masks_.push_back(feasible);
        }
        if (first >= last) return;
        std::int64_t base = 0;
        for (int d = 0; d < plan_.inner(); ++d)
            base += plan_.groups[index(d)].cell[index(coordinates_[index(d)])];
        const std::int64_t end = padded_rows(static_cast<int>(last));
        constexpr std::int64_t multiple = kernels::row_multiple;
        for (std::int64_t start = first / multiple * multiple; start < end; start += grid_block)
            block(start, static_cast<int>(std::min<std::int64_t>(grid_block, end - start)),
                  std::max(first, start), std::min(last, start + grid_block), base);
    }

    const double* feasible_in(std::int64_t start, int n) {
        const double* feasible = nullptr;
        const auto both = [&](const double* other) {
            if (feasible) {
                kernels::active().binary_forward[static_cast<int>(Opcode::min_) - unary_count](
                    n, feasible, other, spare_mask_.data());
                std::swap(mask_, spare_mask_);
                feasible = mask_.data();
            } else {
                feasible = other;
            }
        };
        for (const double* mask : masks_) both(mask + start);
        for (const int id : cell_constraints_) both(stores_[index(id)].data());
        return feasible;
    }

    // Places [first, last) of the n from start on; base is the flat index of the row.
    void block(std::int64_t start, int n, std::int64_t first, std::int64_t last,
               std::int64_t base) {
        const kernels::KernelTable& k = kernels::active();
        for (const int id : per_cell_)
            run(plan_.node(id), plan_.inner(), start, n, stores_[index(id)].data());
        run(plan_.node(plan_.objective), plan_.inner(), start, n, values_.data());
        const double* feasible = feasible_in(start, n);

        const int count = static_cast<int>(last - first);
        double* values = values_.data() + (first - start);
        int counts[2];
        const double least =
            k.grid_scan(count, feasible ? feasible + (first - start) : nullptr, values, counts);
        found_.feasible += counts[0];
        found_.undefined += counts[0] - counts[1];
        if (counts[1] == 0) return;

        const std::int64_t* cell = plan_.groups[index(plan_.inner())].cell.data() + begin_ + first;
        // No cell of the block comes before this one.
        const Candidate bound{least, base + cell[0]};
        if (found_.top.size() < most_ || bound < found_.top.front())
            for (int i = 0; i < count; ++i)
                if (values[i] == values[i] &&
                    (found_.top.size() < most_ || values[i] <= found_.top.front().value))
                    found_.offer({values[i], base + cell[i]}, most_);
        for (std::size_t t = 0; t < layouts_.size(); ++t) {
            const Layout& layout = layouts_[t];
            Table& table = found_.along[t];
            std::int64_t entry = 0;
            for (int d = 0; d < plan_.inner(); ++d)
                if (!layout.part[index(d)].empty())
                    entry += layout.part[index(d)][index(coordinates_[index(d)])];
            entry *= layout.inner_size;
            const auto e = index(entry);
            if (layout.inner == Layout::Inner::none) {
                if (bound < Candidate{table.value[e], table.cell[e]})
                    table.improve(entry, {least, base + cell[k.grid_find(count, values, least)]});
            } else if (layout.inner == Layout::Inner::all) {
                const auto at = e + index(begin_ + first);
                k.grid_improve(count, values, base, cell, table.value.data() + at,
                               table.cell.data() + at);
            } else {
                const std::int64_t* part =
                    layout.part[index(plan_.inner())].data() + begin_ + first;
                for (int i = 0; i < count; ++i)
                    if (values[i] == values[i])
                        table.improve(entry + part[i], {values[i], base + cell[i]});
            }
        }
    }

    const GridPlan& plan_;
    const Division& division_;
    const std::vector<Layout>& layouts_;
    std::size_t most_;

    bool possible_ = true;      // no constant constraint is violated
    bool open_segment_ = true;  // a cell of the segment may be feasible
    std::int64_t segment_ = -1, begin_ = 0, length_ = 0;
    std::vector<std::int64_t> coordinates_;  // by depth
    int valid_ = 0;           // depths whose nodes are computed for the current coordinates
    std::vector<char> open_;  // by depth: a cell below the current coordinate may be feasible

    std::vector<Buffer> stores_;  // by node
    std::vector<std::vector<int>> early_, late_;
    std::vector<int> per_cell_;
    std::vector<int> gates_;  // constraints that do not depend on the innermost loop
    std::vector<RowConstraint> row_constraints_;
    std::vector<int> cell_constraints_;
    std::vector<const double*> masks_;
    Buffer values_, mask_, spare_mask_;
    GridEvaluator evaluator_;
    Found found_;
};

// --- results ---------------------------------------------------------------------------------------

// The objective at cells, as its program gives it.
std::vector<double> values_at(const GridProblem& problem, const std::vector<std::int64_t>& cells) {
    const Program& program = *problem.objective.program;
    std::vector<double> values;
    constexpr std::size_t chunk = 1 << 16;
    std::vector<std::vector<double>> columns(index(program.column_count()));
    for (std::size_t start = 0; start < cells.size(); start += chunk) {
        const std::size_t n = std::min(chunk, cells.size() - start);
        std::vector<const double*> pointers;
        for (std::size_t k = 0; k < columns.size(); ++k) {
            std::int64_t stride = 1;
            columns[k].resize(n);
            for (std::size_t a = problem.axes.size(); a-- > 0;) {
                const GridAxis& axis = problem.axes[a];
                if (axis.name == program.columns()[k])
                    for (std::size_t i = 0; i < n; ++i)
                        columns[k][i] = axis.values[cells[start + i] / stride % axis.size];
                stride *= axis.size;
            }
            pointers.push_back(columns[k].data());
        }
        const BoundColumns bound(program, pointers, static_cast<int>(n));
        Evaluator evaluator(program, bound);
        evaluator.set_parameters(problem.objective.parameters);
        for (int b = 0; b < evaluator.block_count(); ++b) {
            const double* z = evaluator.forward(b);
            const auto at = index(b) * block_rows;
            values.insert(values.end(), z, z + std::min<std::size_t>(block_rows, n - at));
        }
    }
    return values;
}

GridTable best_first(const GridProblem& problem, std::vector<Candidate> top) {
    std::sort(top.begin(), top.end());
    if (top.size() > index(problem.top)) top.resize(index(problem.top));
    GridTable table;
    for (const Candidate& c : top) table.cell.push_back(c.cell);
    table.value = values_at(problem, table.cell);
    const double sign = problem.maximize ? -1.0 : 1.0;
    for (std::size_t i = 0; i < top.size(); ++i) {
        const double v = sign * table.value[i];
        top[i].value = std::isnan(v) ? infinity : v;
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

// A table of best cells with its entries in the order of its axes.
GridTable in_order(const GridProblem& problem, const std::vector<int>& along, const Table& found) {
    std::vector<std::int64_t> stride(problem.axes.size(), 1);
    for (std::size_t a = problem.axes.size() - 1; a-- > 0;)
        stride[a] = stride[a + 1] * problem.axes[a + 1].size;
    GridTable table;
    table.cell.assign(found.cell.size(), -1);
    table.value.assign(found.cell.size(), std::numeric_limits<double>::quiet_NaN());
    std::vector<std::int64_t> cells, entries;
    for (const std::int64_t cell : found.cell) {
        if (cell == no_cell) continue;
        std::int64_t entry = 0;
        for (const int a : along)
            entry = entry * problem.axes[index(a)].size +
                    cell / stride[index(a)] % problem.axes[index(a)].size;
        entries.push_back(entry);
        cells.push_back(cell);
    }
    const std::vector<double> values = values_at(problem, cells);
    for (std::size_t i = 0; i < cells.size(); ++i) {
        table.cell[index(entries[i])] = cells[i];
        table.value[index(entries[i])] = values[i];
    }
    return table;
}

}  // namespace

GridSearch::GridSearch(GridProblem problem)
    : problem_(std::move(problem)), plan_(plan_grid(problem_)) {
    if (problem_.top < 1) throw std::invalid_argument("grid: top must be 1 or more");
}
GridSearch::~GridSearch() = default;

std::int64_t GridSearch::cells() const { return plan_->cells; }
long GridSearch::tasks() const { return static_cast<long>(Division(*plan_).tasks()); }

GridResult GridSearch::run(int threads, Monitor& monitor) const {
    const Division division(*plan_);
    std::vector<Layout> layouts;
    for (const std::vector<int>& table : problem_.along)
        layouts.push_back(layout_of(*plan_, problem_, table));
    const long tasks = static_cast<long>(division.tasks());
    const int workers = static_cast<int>(std::min<long>(thread_count(threads), tasks));
    std::vector<std::unique_ptr<Walker>> walkers(index(workers));
    parallel_for(tasks, workers, monitor, [&](long task, int worker) {
        auto& walker = walkers[index(worker)];  // made by its own thread, for memory near it
        if (!walker) walker = std::make_unique<Walker>(*plan_, problem_, division, layouts);
        walker->run(task);
    });

    GridResult result;
    std::vector<Candidate> top;
    std::vector<Table> along(layouts.size());
    for (std::size_t t = 0; t < layouts.size(); ++t) {
        along[t].value.assign(index(layouts[t].entries), infinity);
        along[t].cell.assign(index(layouts[t].entries), no_cell);
    }
    for (const auto& walker : walkers) {
        if (!walker) continue;
        const Found& found = walker->found();
        result.cells += found.cells;
        result.feasible += found.feasible;
        result.undefined += found.undefined;
        top.insert(top.end(), found.top.begin(), found.top.end());
        for (std::size_t t = 0; t < layouts.size(); ++t)
            for (std::int64_t e = 0; e < layouts[t].entries; ++e)
                along[t].improve(e,
                                 {found.along[t].value[index(e)], found.along[t].cell[index(e)]});
    }
    result.top = best_first(problem_, std::move(top));
    for (std::size_t t = 0; t < layouts.size(); ++t)
        result.along.push_back(in_order(problem_, problem_.along[t], along[t]));
    result.interrupted = monitor.stopped();
    return result;
}

}  // namespace lawfit
