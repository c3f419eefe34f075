// Exhaustive search: the best cells of a product of axes, by one formula, where others hold.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <lawfit/expression/program.hpp>
#include <lawfit/parallel.hpp>

namespace lawfit {

struct GridAxis {
    std::string name;
    const double* values = nullptr;  // (size,)
    std::int64_t size = 0;
};

// A program whose columns are axes, by name, with its parameters, (parameter_count,).
struct GridFormula {
    const Program* program = nullptr;
    const double* parameters = nullptr;
};

// Everything pointed to must outlive the search.
struct GridProblem {
    std::vector<GridAxis> axes;
    GridFormula objective;
    std::vector<GridFormula> constraints;  // 1 where satisfied, else 0
    bool maximize = false;
    std::int64_t top = 10;
    std::vector<std::vector<int>> along;  // axes of each table of best cells
};

// Cells are flat indices in the order of the axes, the last axis running fastest. Of equal values
// the smallest index counts.
struct GridTable {
    std::vector<double> value;       // of the objective, as its program gives it
    std::vector<std::int64_t> cell;  // -1, with value NaN, where there is none
};

struct GridResult {
    GridTable top;                 // best first
    std::vector<GridTable> along;  // one entry per combination of the table's axes, row-major
    std::int64_t cells = 0;        // decided: evaluated, or excluded by a constraint
    std::int64_t feasible = 0;     // satisfy every constraint
    std::int64_t undefined = 0;    // feasible, but the objective is NaN
    bool interrupted = false;
};

struct GridPlan;

class GridSearch {
public:
    // Plans the search. Throws std::invalid_argument for an axis without values or a column without
    // axis, and when there are more than 2^62 cells.
    explicit GridSearch(GridProblem problem);
    ~GridSearch();

    std::int64_t cells() const;
    long tasks() const;

    // The same result for any number of threads. Stored are the best cells only, never the grid.
    GridResult run(int threads, Monitor& monitor) const;

private:
    GridProblem problem_;
    std::unique_ptr<const GridPlan> plan_;
};

}  // namespace lawfit
