// The nodes of a grid search while its plan is made: each once, of one group or of none evaluated at once.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "grid_plan.hpp"

namespace lawfit {

class GridGraph {
public:
    // Adds to the nodes and slots of the plan, whose groups are known.
    GridGraph(const std::vector<GridAxis>& axes, GridPlan& plan) : axes_(axes), plan_(plan) {}

    const GridNode& node(int id) const { return plan_.nodes[index(id)]; }
    double slot_value(int slot) const { return plan_.slots[index(slot)]; }
    const double* slots() const { return plan_.slots.data(); }

    int slot(double value);
    int constant(double value);
    int axis(int a);
    int operation(Operation op);
    // The node, or the one that is known to be the same.
    int add(GridNode made);
    // A node of its own, with its mask.
    int append(GridNode made);

private:
    void evaluate(const GridNode& made, std::int64_t start, int n, double* out);
    void tabulate(GridNode& made);

    const std::vector<GridAxis>& axes_;
    GridPlan& plan_;
    GridEvaluator evaluator_;
    std::map<std::int64_t, int> known_slots_;
    std::map<int, int> known_axes_;
    std::map<std::vector<std::int64_t>, int> known_;
};

}  // namespace lawfit
