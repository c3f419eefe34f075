// Settings of a fit as Python gives them: columns, losses, spaces and solver options.
#pragma once

#include <algorithm>
#include <string>
#include <tuple>
#include <vector>

#include <lawfit/objective/objective.hpp>
#include <lawfit/solver/solver.hpp>

#include "views.hpp"

using IntArray = py::array_t<int, py::array::c_style | py::array::forcecast>;
using LossTuple = std::tuple<std::string, double, double, double>;

// One pointer per column of the program; all of one length.
inline std::vector<const double*> column_pointers(const lawfit::Program& program,
                                                  const std::vector<Array>& columns,
                                                  py::ssize_t rows) {
    require(static_cast<int>(columns.size()) == program.column_count(),
            "expected " + std::to_string(program.column_count()) + " columns, got " +
                std::to_string(columns.size()));
    std::vector<const double*> pointers;
    for (std::size_t k = 0; k < columns.size(); ++k) {
        require(columns[k].ndim() == 1 && columns[k].size() == rows,
                "column \"" + program.columns()[k] + "\" must have shape (" + std::to_string(rows) +
                    ",)");
        pointers.push_back(columns[k].data());
    }
    return pointers;
}

inline lawfit::LossSpec loss_spec(const LossTuple& loss) {
    const auto& [kind, above, below, core] = loss;
    lawfit::LossSpec spec;
    spec.above = above;
    spec.below = below;
    spec.core = core;
    require(lawfit::loss_kind_from_name(kind, spec.kind), "there is no loss kind \"" + kind + "\"");
    return spec;
}

inline Array copy_of(const Array& points) {
    Array copy(std::vector<py::ssize_t>(points.shape(), points.shape() + points.ndim()));
    std::copy_n(points.data(), points.size(), copy.mutable_data());
    return copy;
}

// What is applied to the target; Opcode::count_: nothing.
inline lawfit::Opcode space_transform(const std::string& space) {
    require(space == "linear" || space == "log" || space == "logit",
            "there is no space \"" + space + "\"");
    return space == "linear" ? lawfit::Opcode::count_ : lawfit::opcode_from_name(space);
}

inline lawfit::SolverOptions solver_options(double tolerance, int max_evaluations) {
    lawfit::SolverOptions options;
    options.tolerance = tolerance;
    options.max_evaluations = max_evaluations;
    options.check();
    return options;
}

inline void require_points(const lawfit::Objective& objective, const Array& points,
                           const char* what) {
    require(points.ndim() == 2 && points.shape(1) == objective.dimension(),
            std::string(what) + " must have shape (count, " +
                std::to_string(objective.dimension()) + ")");
}
