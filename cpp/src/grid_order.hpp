// The order of the loops of a grid search, and which nodes are computed at which of them.
#pragma once

#include <vector>

namespace lawfit {

struct GridPlan;

// Sorts the groups of a plan and places its nodes so that the search promises to be fastest.
// along: (tables, axes of each) what best cells are kept for.
void order_loops(GridPlan& plan, const std::vector<std::vector<int>>& along);

}  // namespace lawfit
