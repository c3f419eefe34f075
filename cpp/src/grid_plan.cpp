#include "grid_plan.hpp"

#include <algorithm>
#include <stdexcept>
#include <string>
#include <utility>

#include <lawfit/expression/columns.hpp>

#include "grid_algebra.hpp"
#include "grid_graph.hpp"
#include "grid_order.hpp"

namespace lawfit {
namespace {

// Of a few entries. Clang warns of std::stable_sort in libstdc++, which uses deprecated functions.
template <class Before>
void sort_stably(std::vector<int>& list, Before before) {
    for (auto entry = list.begin(); entry != list.end(); ++entry)
        std::rotate(std::upper_bound(list.begin(), entry, *entry, before), entry, entry + 1);
}

std::vector<GridGroup> group_axes(const std::vector<GridAxis>& axes) {
    std::vector<std::int64_t> stride(axes.size());
    std::int64_t cells = 1;
    for (std::size_t a = axes.size(); a-- > 0;) {
        if (axes[a].size < 1) throw std::invalid_argument("grid: an axis has no values");
        stride[a] = cells;
        if (axes[a].size > (std::int64_t{1} << 62) / cells)
            throw std::invalid_argument("grid: more than 2^62 cells");
        cells *= axes[a].size;
    }
    std::vector<int> order;
    for (std::size_t a = 0; a < axes.size(); ++a)
        if (axes[a].size > 1) order.push_back(static_cast<int>(a));
    sort_stably(order, [&](int a, int b) { return axes[index(a)].size > axes[index(b)].size; });
    // Loops over few values cost more than they save, so short axes are stepped through together.
    std::vector<GridGroup> groups;
    for (const int a : order) {
        const std::int64_t n = axes[index(a)].size;
        if (groups.empty() || (groups.back().length >= 64 && groups.back().length * n > 1024))
            groups.emplace_back();
        groups.back().axes.push_back(a);
        groups.back().length *= n;
    }
    if (groups.empty()) groups.emplace_back();  // a grid of one cell
    for (GridGroup& g : groups) {
        std::sort(g.axes.begin(), g.axes.end());  // flat indices then rise with the coordinate
        g.cell.assign(index(g.length), 0);
        std::int64_t inner = g.length;
        for (const int a : g.axes) {
            const std::int64_t n = axes[index(a)].size;
            inner /= n;
            for (std::int64_t i = 0; i < g.length; ++i)
                g.cell[index(i)] += i / inner % n * stride[index(a)];
        }
    }
    return groups;
}

// Programs as nodes.
class Builder {
public:
    Builder(const std::vector<GridAxis>& axes, GridGraph& graph) : axes_(axes), graph_(graph) {}

    // The node of a formula's value. In exact mode every operation is done as the program does it;
    // otherwise sums and products may be rearranged.
    int formula(const GridFormula& formula, bool exact) {
        const Program& program = *formula.program;
        Context context{program, slot_values(formula), {}, {}};
        for (auto& known : context.known)
            known.assign(index(program.first_register()) + program.row_operations().size(), -1);
        for (const std::string& name : program.columns()) {
            const auto axis = std::find_if(axes_.begin(), axes_.end(),
                                           [&](const GridAxis& a) { return a.name == name; });
            if (axis == axes_.end())
                throw std::invalid_argument("grid: there is no axis \"" + name + "\"");
            context.axis.push_back(static_cast<int>(axis - axes_.begin()));
        }
        return build(context, program.output(), exact);
    }

private:
    struct Context {
        const Program& program;
        std::vector<double> slots;
        std::vector<int> axis;      // of each column
        std::vector<int> known[2];  // node of each varying id, as such and in exact mode
    };

    // Uniform operations run as row operations over a block of equal rows.
    static std::vector<double> slot_values(const GridFormula& formula) {
        const Program& program = *formula.program;
        constexpr int n = kernels::row_multiple;
        std::vector<double> slots(formula.parameters,
                                  formula.parameters + program.parameter_count());
        slots.insert(slots.end(), program.constants().begin(), program.constants().end());
        OperandScratch memory;
        for (const Operation& op : program.uniform_operations()) {
            Buffer operands(index(n) * (op.operands.size() + 1)), out(n);
            Buffer shares(index(n) * index(share_columns(op) + 1));
            int column = 0;
            run_operation(
                op, n, slots.data(),
                [&](int slot) -> const double* {
                    double* filled = operands.data() + n * column++;
                    std::fill(filled, filled + n, slots[index(slot)]);
                    return filled;
                },
                [&](int k) { return shares.data() + n * k; }, out.data(), memory);
            slots.push_back(out[0]);
        }
        return slots;
    }

    int build(Context& context, int id, bool exact) {
        int& known = context.known[exact ? 1 : 0][index(id)];
        if (known >= 0) return known;
        const Program& program = context.program;
        int made = -1;
        if (id < program.column_count()) {
            made = graph_.axis(context.axis[index(id)]);
        } else {
            const bool on_data = id < program.first_register();
            const Operation& op =
                on_data ? program.data_operations()[index(id - program.column_count())]
                        : program.row_operations()[index(id - program.first_register())];
            made = build_operation(context, op, exact);
        }
        context.known[exact ? 1 : 0][index(id)] = made;
        return made;
    }

    // On the graph's slots and nodes.
    int build_operation(Context& context, const Operation& op, bool exact) {
        const auto& a = op.operands;
        const auto slot = [&](int s) { return s < 0 ? s : graph_.slot(context.slots[index(s)]); };
        Operation same{op.code, {}};
        if (op.code == Opcode::affine_ || op.code == Opcode::logsumexp_) {
            const bool lse = op.code == Opcode::logsumexp_;
            const std::size_t first = lse ? 1 + 2 * index(a[0]) : 1;
            same.operands.push_back(lse ? a[0] : slot(a[0]));
            for (std::size_t i = 1; i < first; ++i) same.operands.push_back(slot(a[i]));
            for (std::size_t i = first; i + 1 < a.size(); i += 2) {
                same.operands.push_back(slot(a[i]));
                same.operands.push_back(build(context, a[i + 1], exact));
            }
        } else {
            // Rounding must not move a cell over the edge of a condition, compared with the program.
            const bool compares = op.code == Opcode::lt_ || op.code == Opcode::le_ ||
                                  op.code == Opcode::eq_ || op.code == Opcode::ne_;
            for (std::size_t i = 0; i < a.size(); ++i)
                same.operands.push_back(build(
                    context, a[i], exact || compares || (op.code == Opcode::where_ && i == 0)));
        }
        return exact ? graph_.operation(std::move(same)) : arranged_operation(graph_, same);
    }

    const std::vector<GridAxis>& axes_;
    GridGraph& graph_;
};

// Constraints of the same groups, or of fewer, as one.
std::vector<int> combine_constraints(GridGraph& graph, const std::vector<int>& constraints,
                                     std::uint64_t all) {
    std::vector<std::vector<int>> sets;
    std::vector<int> order = constraints;
    const auto groups = [&](int id) {
        int n = 0;
        for (std::uint64_t m = graph.node(id).mask; m; m &= m - 1) ++n;
        return n;
    };
    sort_stably(order, [&](int a, int b) { return groups(a) > groups(b); });
    for (const int id : order) {
        const auto home = std::find_if(sets.begin(), sets.end(), [&](const std::vector<int>& set) {
            const std::uint64_t mask = graph.node(id).mask, of = graph.node(set[0]).mask;
            // One of all groups is decided per cell and must not take others with it.
            return mask != 0 && (mask == of || (of != all && is_within(mask, of)));
        });
        if (home == sets.end())
            sets.push_back({id});
        else
            home->push_back(id);
    }
    std::vector<int> result;
    for (std::vector<int>& set : sets) result.push_back(arranged_product(graph, std::move(set)));
    return result;
}

// A node with the other sign or the same, always as a sum of its own.
int signed_sum(GridGraph& graph, int id, double sign) {
    const GridNode& from = graph.node(id);
    GridNode made;
    made.kind = GridNode::Kind::sum;
    made.mask = from.mask;
    if (from.kind == GridNode::Kind::sum) {
        made.offset = sign * from.offset;
        made.terms = from.terms;
        for (GridNode::Term& term : made.terms) term.c *= sign;
    } else {
        made.terms = {{sign, {id}}};
    }
    return graph.append(std::move(made));
}

void mark_needed(GridPlan& plan) {
    plan.nodes[index(plan.objective)].needed = true;
    for (const int c : plan.constraints) plan.nodes[index(c)].needed = true;
    for (std::size_t i = plan.nodes.size(); i-- > 0;)
        if (plan.nodes[i].needed)
            visit_operands(plan.nodes[i], [&](int id) { plan.nodes[index(id)].needed = true; });
}

}  // namespace

std::unique_ptr<GridPlan> plan_grid(const GridProblem& problem) {
    auto plan = std::make_unique<GridPlan>();
    plan->groups = group_axes(problem.axes);
    for (const GridAxis& axis : problem.axes) plan->cells *= axis.size;
    GridGraph graph(problem.axes, *plan);
    Builder builder(problem.axes, graph);
    std::vector<int> constraints;
    for (const GridFormula& c : problem.constraints)
        constraints.push_back(builder.formula(c, true));
    plan->constraints = combine_constraints(graph, constraints, plan->all());
    plan->objective =
        signed_sum(graph, builder.formula(problem.objective, false), problem.maximize ? -1.0 : 1.0);
    mark_needed(*plan);
    order_loops(*plan, problem.along);
    return plan;
}

}  // namespace lawfit
