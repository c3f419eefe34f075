// The work of a grid search, cut into tasks.
#pragma once

#include <cstdint>

namespace lawfit {

struct GridPlan;

// A segment of the innermost loop times some iterations of the outer ones: whole slabs of the
// outermost loop, or some rows of one slab.
struct GridTask {
    std::int64_t segment;
    std::int64_t first_slab, last_slab;
    std::int64_t first_row, last_row;  // of each slab
};

// Slabs are taken in an order that jumps about, so that a good cell is known early and most later
// ones are dismissed by one comparison.
class GridDivision {
public:
    explicit GridDivision(const GridPlan& plan);

    std::int64_t tasks() const { return segments_ * slab_tasks_ * row_tasks_; }
    GridTask task(std::int64_t number) const;

private:
    std::int64_t segments_ = 1;
    std::int64_t slabs_ = 1, slabs_per_task_ = 1, slab_tasks_ = 1;
    std::int64_t rows_ = 1, rows_per_task_ = 1, row_tasks_ = 1;  // of one slab
    std::int64_t step_ = 1;
};

}  // namespace lawfit
