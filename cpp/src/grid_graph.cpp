#include "grid_graph.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <utility>

namespace lawfit {
namespace {

using Kind = GridNode::Kind;
using Term = GridNode::Term;

// Longest group whose functions are tabulated when the plan is made.
constexpr std::int64_t longest_table = std::int64_t{1} << 20;

std::int64_t bits(double x) {
    std::int64_t u;
    std::memcpy(&u, &x, sizeof u);
    return u;
}

std::size_t padded(std::int64_t n) {
    return index((n + kernels::row_multiple - 1) / kernels::row_multiple * kernels::row_multiple);
}

// The same for nodes of the same value.
std::vector<std::int64_t> key_of(const GridNode& node) {
    std::vector<std::int64_t> key{static_cast<std::int64_t>(node.kind), bits(node.constant),
                                  static_cast<std::int64_t>(node.operation.code),
                                  bits(node.offset)};
    key.insert(key.end(), node.operation.operands.begin(), node.operation.operands.end());
    for (const Term& term : node.terms) {
        key.push_back(-1);
        key.push_back(bits(term.c));
        key.insert(key.end(), term.factors.begin(), term.factors.end());
    }
    return key;
}

}  // namespace

int GridGraph::slot(double value) {
    const auto [at, is_new] =
        known_slots_.try_emplace(bits(value), static_cast<int>(plan_.slots.size()));
    if (is_new) plan_.slots.push_back(value);
    return at->second;
}

int GridGraph::constant(double value) {
    GridNode made;
    made.constant = value;
    return add(std::move(made));
}

int GridGraph::axis(int a) {
    const GridAxis& axis = axes_[index(a)];
    if (axis.size == 1) return constant(axis.values[0]);
    auto [at, is_new] = known_axes_.try_emplace(a, -1);
    if (!is_new) return at->second;
    GridNode made;
    made.kind = Kind::table;
    for (int g = 0; g < plan_.depth(); ++g) {
        const GridGroup& group = plan_.groups[index(g)];
        std::int64_t inner = group.length;
        for (const int member : group.axes) {
            inner /= axes_[index(member)].size;
            if (member != a) continue;
            made.mask = std::uint64_t{1} << g;
            made.values.resize(padded(group.length));
            for (std::int64_t i = 0; i < group.length; ++i)
                made.values[index(i)] = axis.values[i / inner % axis.size];
            std::fill(made.values.begin() + group.length, made.values.end(),
                      made.values[index(group.length - 1)]);
        }
    }
    return at->second = append(std::move(made));
}

int GridGraph::operation(Operation op) {
    GridNode made;
    made.kind = Kind::operation;
    made.operation = std::move(op);
    return add(std::move(made));
}

int GridGraph::add(GridNode made) {
    visit_operands(made, [&](int id) { made.mask |= node(id).mask; });
    const std::vector<std::int64_t> key = key_of(made);
    const auto known = known_.find(key);
    if (known != known_.end()) return known->second;
    if (made.kind != Kind::constant && made.mask == 0) {
        Buffer out(index(kernels::row_multiple));
        evaluate(made, 0, kernels::row_multiple, out.data());
        const int id = constant(out[0]);
        known_.emplace(key, id);
        return id;
    }
    if (is_single(made.mask)) tabulate(made);
    const int id = append(std::move(made));
    known_.emplace(key, id);
    return id;
}

int GridGraph::append(GridNode made) {
    const auto see = [&](double v) {
        made.positive = made.positive && v > 0.0;
        if (v != 0.0)
            made.reach = std::isfinite(v)
                             ? std::fmax(made.reach, std::fabs(std::log2(std::fabs(v))))
                             : std::numeric_limits<double>::infinity();
    };
    if (made.kind == Kind::constant) {
        made.positive = true;
        see(made.constant);
    } else if (made.kind == Kind::table) {
        made.positive = true;
        for (const double v : made.values) see(v);
    } else if (made.kind == Kind::sum && made.is_product()) {
        made.positive = made.terms[0].c > 0.0;
        made.reach = std::fabs(std::log2(std::fabs(made.terms[0].c)));
        for (const int f : made.terms[0].factors) {
            made.positive = made.positive && node(f).positive;
            made.reach += node(f).reach;
        }
    } else {
        made.reach = std::numeric_limits<double>::infinity();
    }
    plan_.nodes.push_back(std::move(made));
    return static_cast<int>(plan_.nodes.size()) - 1;
}

void GridGraph::evaluate(const GridNode& made, std::int64_t start, int n, double* out) {
    evaluator_.run(
        made, plan_.slots.data(), n,
        [&](int id) {
            const GridNode& from = node(id);
            return from.kind == Kind::table ? GridValue{from.values.data() + start, 0.0}
                                            : GridValue{nullptr, from.constant};
        },
        out);
}

void GridGraph::tabulate(GridNode& made) {
    std::int64_t length = 0;
    for (int g = 0; g < plan_.depth(); ++g)
        if (made.mask >> g & 1) length = plan_.groups[index(g)].length;
    bool tables = length <= longest_table;
    visit_operands(made, [&](int id) {
        tables = tables && (node(id).kind == Kind::table || node(id).mask == 0);
    });
    if (!tables) return;
    Buffer values(padded(length));
    const auto size = static_cast<std::int64_t>(values.size());
    for (std::int64_t start = 0; start < size; start += grid_block)
        evaluate(made, start, static_cast<int>(std::min<std::int64_t>(grid_block, size - start)),
                 values.data() + start);
    GridNode table;
    table.kind = Kind::table;
    table.mask = made.mask;
    table.values = std::move(values);
    made = std::move(table);
}

}  // namespace lawfit
