#include <lawfit/search/follow.hpp>

#include <pybind11/stl.h>

#include <optional>
#include <tuple>

#include "views.hpp"

using namespace lawfit;

namespace {

using ColumnTuple = std::tuple<std::string, Array>;
// Name, program, and what a value that is not above zero becomes, if it may not be.
using DerivedTuple = std::tuple<std::string, const Program*, std::optional<double>>;

std::vector<FollowProblem::Column> columns_of(const std::vector<ColumnTuple>& given, long length) {
    std::vector<FollowProblem::Column> out;
    for (const auto& [name, values] : given) {
        require(values.size() == length, "column \"" + name + "\" has " +
                                             std::to_string(values.size()) + " values, expected " +
                                             std::to_string(length));
        out.push_back({name, values.data()});
    }
    return out;
}

// `progress` is told the number of finished draws.
py::dict run_follow(const std::vector<std::string>& planned,
                    const std::vector<const Program*>& functions,
                    const std::vector<DerivedTuple>& derived,
                    const std::vector<ColumnTuple>& by_draw, long draws,
                    const std::vector<ColumnTuple>& by_start, const Array& start,
                    const std::vector<double>& low, const std::vector<double>& high,
                    const std::vector<bool>& inside, const std::vector<bool>& binding,
                    const std::vector<int>& group, int groups, int threads,
                    const py::object& progress) {
    const auto n = static_cast<py::ssize_t>(planned.size());
    require(start.ndim() == 2 && start.shape(0) == n,
            "start must have shape (" + std::to_string(n) + ", starts)");
    FollowProblem problem;
    problem.planned = planned;
    problem.functions = functions;
    problem.draws = draws;
    problem.starts = static_cast<long>(start.shape(1));
    problem.by_draw = columns_of(by_draw, draws);
    problem.by_start = columns_of(by_start, problem.starts);
    for (const auto& [name, program, otherwise] : derived)
        problem.derived.push_back({name, program, otherwise.has_value(), otherwise.value_or(0.0)});
    problem.start = start.data();
    problem.low = low;
    problem.high = high;
    problem.inside.assign(inside.begin(), inside.end());
    problem.binding.assign(binding.begin(), binding.end());
    problem.group = group;
    problem.groups = groups;

    const Follow follow(problem);
    const FollowResult r = watched(
        progress, [&](Monitor& monitor) { return follow.run(threads, monitor); },
        [&](long done) { return std::min(done * follow.draws_per_task(), draws); });
    py::dict out;
    out["best"] = to_array(r.best);
    out["objective"] = to_array(r.objective);
    out["x"] = to_array(r.x, {draws, groups, n});
    out["unsettled"] = to_array(r.unsettled);
    out["evaluations"] = r.evaluations;
    out["interrupted"] = r.interrupted;
    return out;
}

}  // namespace

void bind_follow(py::module_& m) {
    m.def("follow", &run_follow, py::arg("planned"), py::arg("functions"), py::arg("derived"),
          py::arg("by_draw"), py::arg("draws"), py::arg("by_start"), py::arg("start"),
          py::arg("low"), py::arg("high"), py::arg("inside"), py::arg("binding"), py::arg("group"),
          py::arg("groups"), py::arg("threads"), py::arg("progress"));
}
