#include <lawfit/search/grid.hpp>

#include <algorithm>
#include <stdexcept>
#include <utility>

#include <lawfit/expression/evaluator.hpp>
#include <lawfit/kernels.hpp>

#include "grid_best.hpp"
#include "grid_division.hpp"
#include "grid_plan.hpp"

namespace lawfit {
namespace {

using Kind = GridNode::Kind;

struct Counts {  // of cells
    std::int64_t cells = 0, feasible = 0, undefined = 0;
};

// One thread's loops.
class Walker {
public:
    Walker(const GridPlan& plan, GridBest best)
        : plan_(plan),
          best_(std::move(best)),
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
    }

    const GridBest& best() const { return best_; }
    const Counts& counts() const { return counts_; }

    void run(const GridTask& task) {
        set_segment(task.segment);
        counts_.cells +=
            (task.last_slab - task.first_slab) * (task.last_row - task.first_row) * length_;
        if (!possible_ || !open_segment_) return;
        if (plan_.inner() == 0) return row();
        for (std::int64_t slab = task.first_slab; slab < task.last_slab; ++slab)
            if (set(0, slab)) visit(1, task.first_row, task.last_row);
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
        counts_.feasible += counts[0];
        counts_.undefined += counts[0] - counts[1];
        if (counts[1] > 0)
            best_.add({coordinates_.data(), base, begin_ + first, count, values, least});
    }

    const GridPlan& plan_;
    GridBest best_;
    Counts counts_;

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
};

}  // namespace

GridSearch::GridSearch(GridProblem problem)
    : problem_(std::move(problem)), plan_(plan_grid(problem_)) {
    if (problem_.top < 1) throw std::invalid_argument("grid: top must be 1 or more");
}
GridSearch::~GridSearch() = default;

std::int64_t GridSearch::cells() const { return plan_->cells; }
long GridSearch::tasks() const { return static_cast<long>(GridDivision(*plan_).tasks()); }

GridResult GridSearch::run(int threads, Monitor& monitor) const {
    const GridDivision division(*plan_);
    std::vector<GridLayout> layouts;
    for (const std::vector<int>& along : problem_.along)
        layouts.emplace_back(*plan_, problem_, along);
    GridBest best(*plan_, problem_, layouts);
    const long tasks = static_cast<long>(division.tasks());
    const int workers = static_cast<int>(std::min<long>(thread_count(threads), tasks));
    std::vector<std::unique_ptr<Walker>> walkers(index(workers));
    parallel_for(tasks, workers, monitor, [&](long task, int worker) {
        auto& walker = walkers[index(worker)];
        if (!walker)  // made by its own thread, for memory near it
            walker = std::make_unique<Walker>(*plan_, GridBest(*plan_, problem_, layouts));
        walker->run(division.task(task));
    });

    GridResult result;
    for (const auto& walker : walkers) {
        if (!walker) continue;
        result.cells += walker->counts().cells;
        result.feasible += walker->counts().feasible;
        result.undefined += walker->counts().undefined;
        best.add(walker->best());
    }
    result.top = best.top();
    result.along = best.along();
    result.interrupted = monitor.stopped();
    return result;
}

}  // namespace lawfit
