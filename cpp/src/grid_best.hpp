// The best cells of a grid search: the first few of all, and one for each place along some axes.
#pragma once

#include <cstdint>
#include <limits>
#include <vector>

#include <lawfit/search/grid.hpp>

namespace lawfit {

// Values are those to be minimised; of equal ones the smaller cell is better.
struct GridCandidate {
    static constexpr std::int64_t no_cell = std::numeric_limits<std::int64_t>::max();

    double value = std::numeric_limits<double>::infinity();
    std::int64_t cell = no_cell;
    bool operator<(const GridCandidate& other) const {
        return value < other.value || (value == other.value && cell < other.cell);
    }
};

// Where the best cells along some axes are kept: entry = sum of the outer groups' parts * inner size
// + the innermost group's part.
struct GridLayout {
    GridLayout(const GridPlan& plan, const GridProblem& problem, const std::vector<int>& along);

    std::vector<std::vector<std::int64_t>> part;  // by depth, (length,); empty: always 0
    std::int64_t inner_size = 1;
    std::int64_t entries = 1;
    enum class Inner { none, all, some } inner = Inner::none;  // axes of the innermost group
};

// Neighbours in the innermost loop.
struct GridCells {
    const std::int64_t* outer;  // coordinates of the outer loops, by depth
    std::int64_t base;          // flat index at the innermost coordinate 0
    std::int64_t start;         // innermost coordinate of the first
    int count;
    const double* values;  // (count,), NaN where a cell does not count
    double least;          // of the values
};

class GridBest {
public:
    // What is pointed to must outlive this.
    GridBest(const GridPlan& plan, const GridProblem& problem,
             const std::vector<GridLayout>& layouts);

    void add(const GridCells& cells);
    void add(const GridBest& other);

    // With values as the objective's program gives them.
    GridTable top() const;
    std::vector<GridTable> along() const;

private:
    struct Table {
        std::vector<double> value;
        std::vector<std::int64_t> cell;
        void improve(std::int64_t entry, const GridCandidate& by);
    };

    void offer(const GridCandidate& candidate);
    std::vector<double> values_at(const std::vector<std::int64_t>& cells) const;
    GridTable in_order(const std::vector<int>& along, const Table& found) const;

    const GridPlan& plan_;
    const GridProblem& problem_;
    const std::vector<GridLayout>& layouts_;
    std::size_t most_;
    std::vector<GridCandidate> top_;  // a heap, the worst in front
    std::vector<Table> along_;        // by layout
};

}  // namespace lawfit
