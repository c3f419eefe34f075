#include <lawfit/search/grid.hpp>

#include <pybind11/stl.h>

#include <tuple>
#include <utility>

#include "views.hpp"

using namespace lawfit;

namespace {

using FormulaTuple = std::tuple<const Program*, Array>;

GridFormula grid_formula(const FormulaTuple& formula) {
    const auto& [program, parameters] = formula;
    require(parameters.size() == program->parameter_count(),
            "expected " + std::to_string(program->parameter_count()) + " parameters, got " +
                std::to_string(parameters.size()));
    return {program, parameters.data()};
}

py::tuple table_tuple(const GridTable& table) {
    return py::make_tuple(to_array(table.value), to_array(table.cell));
}

// `progress` is told the number of cells that are done, as far as whole tasks tell it.
py::dict run_grid_search(const std::vector<std::string>& names, const std::vector<Array>& axes,
                         const FormulaTuple& objective,
                         const std::vector<FormulaTuple>& constraints, bool maximize,
                         std::int64_t top, const std::vector<std::vector<int>>& along, int threads,
                         const py::object& progress) {
    require(names.size() == axes.size(), "expected one name per axis");
    GridProblem problem;
    for (std::size_t a = 0; a < axes.size(); ++a) {
        require(axes[a].ndim() == 1, "axis \"" + names[a] + "\" must have one dimension");
        problem.axes.push_back({names[a], axes[a].data(), axes[a].size()});
    }
    problem.objective = grid_formula(objective);
    for (const FormulaTuple& c : constraints) problem.constraints.push_back(grid_formula(c));
    problem.maximize = maximize;
    problem.top = top;
    for (const std::vector<int>& table : along)
        for (const int a : table)
            require(a >= 0 && a < static_cast<int>(axes.size()),
                    "along: there is no axis " + std::to_string(a));
    problem.along = along;

    const GridSearch search(std::move(problem));
    const GridResult r = watched(
        progress, [&](Monitor& monitor) { return search.run(threads, monitor); },
        [&](long done) {
            const double share = static_cast<double>(done) / static_cast<double>(search.tasks());
            return static_cast<std::int64_t>(share * static_cast<double>(search.cells()));
        });
    py::dict out;
    out["top"] = table_tuple(r.top);
    py::list tables;
    for (const GridTable& table : r.along) tables.append(table_tuple(table));
    out["along"] = tables;
    out["cells"] = r.cells;
    out["feasible"] = r.feasible;
    out["undefined"] = r.undefined;
    out["interrupted"] = r.interrupted;
    return out;
}

}  // namespace

void bind_grid(py::module_& m) {
    m.def("grid_search", &run_grid_search, py::arg("names"), py::arg("axes"), py::arg("objective"),
          py::arg("constraints"), py::arg("maximize"), py::arg("top"), py::arg("along"),
          py::arg("threads"), py::arg("progress"));
}
