#include "grid_order.hpp"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <numeric>
#include <utility>
#include <vector>

#include <lawfit/aligned.hpp>

#include "grid_plan.hpp"

namespace lawfit {
namespace {

using Kind = GridNode::Kind;
using Term = GridNode::Term;

// Values that a node over several groups keeps between the loops: what stays in a second-level cache.
constexpr double largest_store = 1 << 18;

// Puts a node into the loop nest, loops[d] being the group at depth d.
void place(GridNode& node, const std::vector<GridGroup>& groups, const std::vector<int>& loops) {
    std::vector<int> depths;
    for (std::size_t d = 0; d < loops.size(); ++d)
        if (node.mask >> loops[d] & 1) depths.push_back(static_cast<int>(d));
    const auto length = [&](int d) { return groups[index(loops[index(d)])].length; };
    // Loops that are common to all cells of the node stay loops; the rest is stored if it fits.
    std::size_t first = 0;
    if (node.kind != Kind::table) {
        while (first + 1 < depths.size() && depths[first] == static_cast<int>(first)) ++first;
        const auto stored = [&] {
            double size = 1.0;
            for (std::size_t i = first; i < depths.size(); ++i)
                size *= static_cast<double>(length(depths[i]));
            return size;
        };
        while (first + 1 < depths.size() && stored() > largest_store) ++first;
    }
    node.tick = first == 0 ? -1 : depths[first - 1];
    node.trailing.assign(depths.begin() + static_cast<std::ptrdiff_t>(first), depths.end());
}

double weight(const GridNode& node) {
    if (node.kind == Kind::sum) {
        double w = 0.0;
        for (const Term& term : node.terms) w += static_cast<double>(term.factors.size());
        return w;
    }
    switch (node.operation.code) {
        case Opcode::pow_: return 24.0;
        case Opcode::erf_:
        case Opcode::normcdf_: return 60.0;
        case Opcode::tanh_:
        case Opcode::softplus_:
        case Opcode::logit_:
        case Opcode::expm1_:
        case Opcode::log1p_: return 20.0;
        case Opcode::exp_:
        case Opcode::log_:
        case Opcode::sigmoid_: return 10.0;
        case Opcode::logsumexp_:
            return 10.0 + 5.0 * static_cast<double>(node.operation.operands.size());
        case Opcode::div_:
        case Opcode::sqrt_:
        case Opcode::reciprocal_: return 4.0;
        default: return 1.0;
    }
}

// A guess at the time of the whole search, in cells' additions.
double cost(GridPlan& plan, const std::vector<int>& loops,
            const std::vector<std::vector<int>>& along) {
    constexpr double call = 40.0;
    std::vector<double> outer(loops.size() + 1, 1.0);  // iterations of the loops above a depth
    for (std::size_t d = 0; d < loops.size(); ++d)
        outer[d + 1] = outer[d] * static_cast<double>(plan.groups[index(loops[d])].length);
    const GridGroup& inner = plan.groups[index(loops.back())];
    const double cells = outer.back(), rows = outer[loops.size() - 1];
    double total = 100.0 * rows;
    for (std::size_t i = 0; i < plan.nodes.size(); ++i) {
        GridNode& node = plan.nodes[i];
        const bool here = plan.stored(static_cast<int>(i)) || plan.per_cell(static_cast<int>(i));
        if (!node.needed || !here) continue;
        double evaluations = cells, last = static_cast<double>(inner.length), w = weight(node);
        if (plan.per_cell(static_cast<int>(i))) {
            // What does not depend on the innermost loop costs nothing per cell; what is read from
            // far away costs more.
            if (node.kind == Kind::sum) w = 0.0;
            visit_operands(node, [&](int id) {
                GridNode& operand = plan.nodes[index(id)];
                if (!(operand.mask >> loops.back() & 1)) return;
                if (node.kind == Kind::sum) w += 1.0;
                if (operand.kind == Kind::table || plan.per_cell(id)) return;
                place(operand, plan.groups, loops);
                if (operand.trailing.size() > 1) w += 2.0;
            });
        } else {
            place(node, plan.groups, loops);
            evaluations = outer[index(node.tick + 1)];
            for (const int d : node.trailing)
                evaluations *= static_cast<double>(plan.groups[index(loops[index(d)])].length);
            last =
                static_cast<double>(plan.groups[index(loops[index(node.trailing.back())])].length);
        }
        total += evaluations * w + evaluations / last * call;
    }
    for (const std::vector<int>& table : along) {
        std::size_t inside = 0;
        for (const int a : inner.axes) inside += std::count(table.begin(), table.end(), a) > 0;
        if (inside > 0) total += cells * (inside == inner.axes.size() ? 5.0 : 20.0);
    }
    return total;
}

// The order of the groups that promises to be fastest.
std::vector<int> best_loops(GridPlan& plan, const std::vector<std::vector<int>>& along) {
    std::vector<int> loops(plan.groups.size());
    std::iota(loops.begin(), loops.end(), 0);
    if (loops.size() > 6) {  // the longest axis innermost
        std::rotate(loops.begin(), loops.begin() + 1, loops.end());
        return loops;
    }
    std::vector<int> best = loops;
    double least = std::numeric_limits<double>::infinity();
    do {
        const double found = cost(plan, loops, along);
        if (found < least) {
            least = found;
            best = loops;
        }
    } while (std::next_permutation(loops.begin(), loops.end()));
    return best;
}

void arrange(GridPlan& plan, const std::vector<int>& loops) {
    std::vector<GridGroup> groups;
    for (const int g : loops) groups.push_back(std::move(plan.groups[index(g)]));
    plan.groups = std::move(groups);
    std::vector<int> identity(loops.size());
    std::iota(identity.begin(), identity.end(), 0);
    for (GridNode& node : plan.nodes) {
        std::uint64_t mask = 0;
        for (std::size_t d = 0; d < loops.size(); ++d)
            if (node.mask >> loops[d] & 1) mask |= std::uint64_t{1} << d;
        node.mask = mask;
        place(node, plan.groups, identity);
        node.stride.assign(node.trailing.size(), 1);
        std::int64_t stride = 1;
        for (std::size_t i = node.trailing.size(); i-- > 0;) {
            node.stride[i] = stride;
            const int d = node.trailing[i];
            const std::int64_t length = plan.groups[index(d)].length;
            // The innermost loop runs over one segment at a time.
            stride *= i + 1 < node.trailing.size()
                          ? length
                          : padded_rows(static_cast<int>(
                                d == plan.inner() ? std::min(length, grid_segment) : length));
        }
        if (!node.needed) Buffer().swap(node.values);
    }
}

}  // namespace

void order_loops(GridPlan& plan, const std::vector<std::vector<int>>& along) {
    arrange(plan, best_loops(plan, along));
}

}  // namespace lawfit
