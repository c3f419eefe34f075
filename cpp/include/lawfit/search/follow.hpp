// Optima that moved a little: many plans solved again for other numbers, from where they were.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <lawfit/expression/program.hpp>
#include <lawfit/parallel.hpp>

namespace lawfit {

// One problem per draw and start: minimise functions[0] subject to functions[k] <= 0 and bounds. The
// programs' parameters are the steps of what is planned, at 0; where a row stands is in columns of
// the same names. Row draw * starts + start reads the other columns by name.
struct FollowProblem {
    struct Column {
        std::string name;
        const double* values;
    };
    // A column that a program computes from the columns before it, once. With `positive`, what is not
    // above zero becomes `otherwise`.
    struct Derived {
        std::string name;
        const Program* program;
        bool positive;
        double otherwise;
    };

    std::vector<std::string> planned;       // (n,)
    std::vector<const Program*> functions;  // (1 + m,)
    std::vector<Column> by_draw;            // (draws,) each
    std::vector<Column> by_start;           // (starts,) each
    std::vector<Derived> derived;
    long draws = 0;
    long starts = 0;
    const double* start = nullptr;  // (n, starts)
    std::vector<double> low, high;  // (n,)
    std::vector<char> inside;       // (n,) whether it is free to move; the others are at a bound
    std::vector<char> binding;      // (m,) constraints that hold with equality
    std::vector<int> group;         // (starts,) of a group the best start counts
    int groups = 1;
};

struct FollowResult {
    // Of every draw and group, (draws, groups): the best start that was settled, -1 for none.
    std::vector<std::int64_t> best;
    std::vector<double> objective;
    std::vector<double> x;                // (draws, groups, n)
    std::vector<std::int64_t> unsettled;  // rows, ascending
    std::int64_t evaluations = 0;         // of all functions, in rows
    bool interrupted = false;
};

// The constraints that bind are taken to bind again, and variables at a bound to stay: then the
// optimum solves equations, by Newton's method with a Hessian that is made once by differences and
// updated by every step. A row is settled if the next step is none and well determined, and the point
// keeps all constraints, needs no force of the wrong sign and is no saddle: a verdict on the point,
// whichever step reached it. Equal values: the first start counts.
class Follow {
public:
    // The problem must outlive it. Throws std::invalid_argument when a program reads a column that
    // there is not, or sizes differ.
    explicit Follow(const FollowProblem& problem);

    long tasks() const { return tasks_; }
    long draws_per_task() const { return draws_per_task_; }
    FollowResult run(int threads, Monitor& monitor) const;

    // Where the functions' and the derived columns' programs read: columns are numbered planned,
    // by_draw, by_start, derived.
    const std::vector<std::vector<int>>& sources() const { return sources_; }

private:
    const FollowProblem& problem_;
    std::vector<std::vector<int>> sources_;  // derived, then functions
    long draws_per_task_;
    long tasks_;
};

}  // namespace lawfit
