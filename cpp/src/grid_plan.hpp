// How a grid is searched: formulas as a graph over groups of axes, and the order of the loops.
//
// Each node of the graph depends on a set of groups. Nodes of one group are tabulated when the plan
// is made, nodes of some groups are computed in the loop nest once per combination of those, and
// only nodes of all groups are computed in every cell. Sums are arranged so that terms of the same
// groups are added early; an exponential of a sum of functions of one group each becomes a product of
// tables, and so does a power of a product.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include <lawfit/search/grid.hpp>

#include "grid_node.hpp"

namespace lawfit {

// Axes that the loops step through together. Axes of one value are in no group.
struct GridGroup {
    std::vector<int> axes;
    std::int64_t length = 1;
    std::vector<std::int64_t> cell;  // (length,) what each coordinate adds to the flat index
};

struct GridPlan {
    std::vector<GridGroup> groups;  // outermost loop first
    std::vector<GridNode> nodes;    // operands before their users
    std::vector<double> slots;      // constants that operations refer to
    int objective = -1;             // a sum: the value to be minimised
    std::vector<int> constraints;   // nodes; where any is 0 a cell is not feasible
    std::int64_t cells = 1;

    int depth() const { return static_cast<int>(groups.size()); }
    int inner() const { return depth() - 1; }
    std::uint64_t all() const { return (std::uint64_t{1} << groups.size()) - 1; }
    const GridNode& node(int id) const { return nodes[static_cast<std::size_t>(id)]; }
    // Whether a node is evaluated anew in every cell, or kept between the loops. The objective,
    // tables and constants are neither.
    bool per_cell(int id) const { return runs(id) && node(id).mask == all(); }
    bool stored(int id) const { return runs(id) && node(id).mask != all(); }

private:
    bool runs(int id) const {
        const GridNode::Kind kind = node(id).kind;
        return id != objective && kind != GridNode::Kind::table && kind != GridNode::Kind::constant;
    }
};

// How much of the innermost axis the loops run over at a time; a multiple of grid_block.
constexpr std::int64_t grid_segment = 2048;

std::unique_ptr<GridPlan> plan_grid(const GridProblem& problem);

}  // namespace lawfit
