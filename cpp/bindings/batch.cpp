#include <lawfit/search/batch.hpp>

#include <pybind11/stl.h>

#include <optional>

#include "settings.hpp"

using namespace lawfit;

namespace {

// A pointer to an array of a known shape.
const double* checked(const Array& array, std::vector<py::ssize_t> shape, const char* name) {
    bool fits = array.ndim() == static_cast<py::ssize_t>(shape.size());
    for (std::size_t k = 0; fits && k < shape.size(); ++k)
        fits = array.shape(static_cast<py::ssize_t>(k)) == shape[k];
    require(fits, std::string(name) + " has the wrong shape");
    return array.data();
}

py::dict run_fit_batch(const Program& program, const std::vector<Array>& columns,
                       const IntArray& offsets, const Array& target,
                       const std::optional<Array>& weight, const std::optional<Array>& sigma,
                       const LossTuple& loss, const IntArray& source, const Array& value,
                       int free_count, const Array& lower, const Array& upper,
                       const std::string& space, const Array& origin, const Array& width,
                       const Array& typical, const Array& points, int tournament, int enough,
                       double tolerance, int max_evaluations, int threads,
                       const py::object& progress) {
    BatchProblem problem;
    const py::ssize_t rows = target.size(), p = free_count;
    problem.program = &program;
    problem.data.columns = column_pointers(program, columns, rows);
    problem.data.target = target.data();
    problem.data.weight = weight ? checked(*weight, {rows}, "weight") : nullptr;
    problem.data.sigma = sigma ? checked(*sigma, {rows}, "sigma") : nullptr;
    problem.data.target_transform = space_transform(space);
    problem.offsets.assign(offsets.data(), offsets.data() + offsets.size());
    require(!problem.offsets.empty() && problem.offsets.front() == 0 &&
                problem.offsets.back() == rows,
            "offsets must run from 0 to the number of rows");
    for (std::size_t t = 0; t + 1 < problem.offsets.size(); ++t)
        require(problem.offsets[t] < problem.offsets[t + 1], "a table has no rows");
    problem.terms = {loss_spec(loss), false, 0.0};
    problem.parameterisation.source.assign(source.data(), source.data() + source.size());
    problem.parameterisation.value.assign(value.data(), value.data() + value.size());
    problem.parameterisation.free_count = free_count;
    problem.lower = Eigen::Map<const Vector>(checked(lower, {p}, "lower"), p);
    problem.upper = Eigen::Map<const Vector>(checked(upper, {p}, "upper"), p);

    const py::ssize_t tables = problem.tables();
    BatchStarts starts;
    starts.origin = checked(origin, {tables, p}, "origin");
    starts.width = checked(width, {tables, p}, "width");
    starts.typical = checked(typical, {tables, p}, "typical");
    require(tournament >= 1 && points.ndim() == 2 && points.shape(0) % tournament == 0,
            "points must come in tournaments");
    starts.points = checked(points, {points.shape(0), p}, "points");
    starts.starts = static_cast<int>(points.shape(0)) / tournament;
    starts.tournament = tournament;
    starts.enough = enough;

    const SolverOptions options = solver_options(tolerance, max_evaluations);
    const BatchResult r = watched(progress, [&](Monitor& monitor) {
        return fit_batch(problem, starts, options, threads, monitor);
    });
    py::dict out;
    out["x"] = to_array(r.x, {tables, p});
    out["objective"] = to_array(r.objective);
    out["status"] = to_array(r.status);
    out["evaluations"] = to_array(r.evaluations);
    out["hits"] = to_array(r.hits);
    out["starts"] = to_array(r.starts);
    out["interrupted"] = r.interrupted;
    return out;
}

}  // namespace

void bind_batch(py::module_& m) {
    m.def("fit_batch", &run_fit_batch, py::arg("program"), py::arg("columns"), py::arg("offsets"),
          py::arg("target"), py::arg("weight"), py::arg("sigma"), py::arg("loss"),
          py::arg("source"), py::arg("value"), py::arg("free_count"), py::arg("lower"),
          py::arg("upper"), py::arg("space"), py::arg("origin"), py::arg("width"),
          py::arg("typical"), py::arg("points"), py::arg("tournament"), py::arg("enough"),
          py::arg("tolerance"), py::arg("max_evaluations"), py::arg("threads"),
          py::arg("progress"));
}
