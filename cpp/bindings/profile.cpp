#include <lawfit/search/profile.hpp>

#include <pybind11/stl.h>

#include "settings.hpp"

using namespace lawfit;

namespace {

// `progress` is told the number of finished rays.
py::dict run_walk_rays(const Objective& objective, const Array& x, const Array& directions,
                       const Array& reach, double unit, double height_step, double height_end,
                       int max_points, double tolerance, int max_evaluations, int threads,
                       const py::object& progress) {
    const int p = objective.dimension();
    require(x.ndim() == 1 && x.size() == p, "x must have shape (" + std::to_string(p) + ",)");
    require(directions.ndim() == 2 && directions.shape(1) == p,
            "directions must have shape (rays, " + std::to_string(p) + ")");
    const long rays = static_cast<long>(directions.shape(0));
    require(reach.size() == rays, "expected one reach per ray");
    const Vector origin = Eigen::Map<const Vector>(x.data(), p);
    RayOptions ray_options;
    ray_options.unit = unit;
    ray_options.height_step = height_step;
    ray_options.height_end = height_end;
    ray_options.max_points = max_points;
    const SolverOptions options = solver_options(tolerance, max_evaluations);
    const double* direction = directions.data();
    const double* far = reach.data();
    const RayPoints r = watched(progress, [&](Monitor& monitor) {
        return walk_rays(objective, origin, direction, far, rays, ray_options, options, threads,
                         monitor);
    });
    py::dict out;
    out["ray"] = to_array(r.ray);
    out["t"] = to_array(r.t);
    out["x"] = to_array(r.x, {static_cast<py::ssize_t>(r.t.size()), p});
    out["objective"] = to_array(r.objective);
    out["slope"] = to_array(r.slope);
    out["status"] = to_array(r.status);
    out["end"] = to_array(r.end);
    out["evaluations"] = r.evaluations;
    out["interrupted"] = r.interrupted;
    return out;
}

py::dict run_solve_held(const Objective& objective, const Array& starts,
                        const std::vector<int>& held, double tolerance, int max_evaluations,
                        int threads, const py::object& progress) {
    require_points(objective, starts, "starts");
    const SolverOptions options = solver_options(tolerance, max_evaluations);
    const double* data = starts.data();
    const long count = static_cast<long>(starts.shape(0));
    const HeldSolutions r = watched(progress, [&](Monitor& monitor) {
        return solve_held(objective, data, count, held, options, threads, monitor);
    });
    py::dict out;
    out["x"] = to_array(r.x, {count, objective.dimension()});
    out["objective"] = to_array(r.objective);
    out["status"] = to_array(r.status);
    out["interrupted"] = r.interrupted;
    return out;
}

}  // namespace

void bind_profile(py::module_& m) {
    m.def("walk_rays", &run_walk_rays, py::arg("objective"), py::arg("x"), py::arg("directions"),
          py::arg("reach"), py::arg("unit"), py::arg("height_step"), py::arg("height_end"),
          py::arg("max_points"), py::arg("tolerance"), py::arg("max_evaluations"),
          py::arg("threads"), py::arg("progress"));
    m.def("solve_held", &run_solve_held, py::arg("objective"), py::arg("starts"), py::arg("held"),
          py::arg("tolerance"), py::arg("max_evaluations"), py::arg("threads"),
          py::arg("progress"));
}
