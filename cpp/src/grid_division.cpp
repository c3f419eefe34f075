#include "grid_division.hpp"

#include <algorithm>
#include <numeric>

#include "grid_plan.hpp"

namespace lawfit {

GridDivision::GridDivision(const GridPlan& plan) {
    const std::int64_t inner = plan.groups[index(plan.inner())].length;
    segments_ = (inner + grid_segment - 1) / grid_segment;
    const std::int64_t aim = std::max<std::int64_t>(
        {std::int64_t{1} << 15, std::min<std::int64_t>(plan.cells / 256, 1 << 21),
         plan.cells >> 30});
    const std::int64_t most_rows = std::max<std::int64_t>(1, aim / std::min(inner, grid_segment));
    if (plan.inner() > 0) slabs_ = plan.groups[0].length;
    std::int64_t aligned = 1;
    for (int d = plan.inner() - 1; d > 0; --d) {
        rows_ *= plan.groups[index(d)].length;
        if (rows_ <= most_rows) aligned = rows_;
    }
    if (rows_ <= most_rows) {
        slabs_per_task_ = std::min(slabs_, most_rows / rows_);
        rows_per_task_ = rows_;
    } else {
        rows_per_task_ = most_rows / aligned * aligned;
    }
    slab_tasks_ = (slabs_ + slabs_per_task_ - 1) / slabs_per_task_;
    row_tasks_ = (rows_ + rows_per_task_ - 1) / rows_per_task_;
    step_ = static_cast<std::int64_t>(0.6180339887498949 * static_cast<double>(slab_tasks_));
    step_ = std::max<std::int64_t>(step_, 1);
    while (std::gcd(step_, slab_tasks_) != 1) ++step_;
}

GridTask GridDivision::task(std::int64_t number) const {
    const std::int64_t first_row = number % row_tasks_ * rows_per_task_;
    const std::int64_t first_slab =
        number / row_tasks_ % slab_tasks_ * step_ % slab_tasks_ * slabs_per_task_;
    return {number / row_tasks_ / slab_tasks_, first_slab,
            std::min(slabs_, first_slab + slabs_per_task_), first_row,
            std::min(rows_, first_row + rows_per_task_)};
}

}  // namespace lawfit
