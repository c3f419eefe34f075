// Sums, products and powers of a grid search, rearranged so that as little as possible depends on many groups.
#pragma once

#include <vector>

#include "grid_graph.hpp"

namespace lawfit {

// The value of an operation on nodes and slots of the graph, but for rounding.
int arranged_operation(GridGraph& graph, const Operation& op);
int arranged_product(GridGraph& graph, std::vector<int> factors);

}  // namespace lawfit
