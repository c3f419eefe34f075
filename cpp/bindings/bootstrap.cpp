#include <lawfit/search/bootstrap.hpp>

#include <pybind11/stl.h>

#include <map>
#include <optional>
#include <string>

#include "settings.hpp"

using namespace lawfit;

namespace {

using Kind = Resampling::Kind;

const std::map<std::string, Kind> kinds = {
    {"counts", Kind::counts},       {"blocks", Kind::blocks},
    {"dirichlet", Kind::dirichlet}, {"deletion", Kind::deletion},
    {"residuals", Kind::residuals}, {"multipliers", Kind::multipliers},
    {"density", Kind::density},
};

Resampling make_resampling(const std::string& kind, const IntArray& unit, const IntArray& strata,
                           int length, bool webb, const LossTuple& density, double spread) {
    Resampling r;
    const auto found = kinds.find(kind);
    require(found != kinds.end(), "there is no resampling \"" + kind + "\"");
    r.kind = found->second;
    r.unit.assign(unit.data(), unit.data() + unit.size());
    r.strata.assign(strata.data(), strata.data() + strata.size());
    r.length = length;
    r.webb = webb;
    r.density = loss_spec(density);
    r.spread = spread;
    r.check();
    return r;
}

// Row weights of draws, or residuals made of given ones: (draws, rows).
Array draws_of(const Resampling& r, std::uint64_t seed, long first, long draws,
               const std::optional<Array>& given, const std::optional<Array>& weight) {
    const int rows = r.rows();
    for (const auto& array : {given, weight})
        require(!array || array->size() == rows, "expected one number per row");
    require(given || !r.renews_targets() || r.kind == Kind::density,
            "residuals are needed to make residuals of");
    Array out({static_cast<py::ssize_t>(draws), static_cast<py::ssize_t>(rows)});
    std::vector<double> units(static_cast<std::size_t>(r.units()));
    for (long d = 0; d < draws; ++d) {
        double* row = out.mutable_data() + d * rows;
        if (r.renews_targets()) {
            r.renew(seed, first + d, given ? given->data() : nullptr,
                    weight ? weight->data() : nullptr, row);
            continue;
        }
        r.weigh(seed, first + d, units.data());
        for (int i = 0; i < rows; ++i)
            row[i] = units[static_cast<std::size_t>(r.unit[static_cast<std::size_t>(i)])];
    }
    return out;
}

py::dict run(const Objective& objective, const Resampling& resampling, const Array& starts,
             long first_draw, long draws, std::uint64_t seed, bool early_stop, bool covariance,
             double tolerance, int max_evaluations, int threads, const py::object& progress) {
    const py::ssize_t p = objective.dimension();
    require(starts.ndim() == 2 && starts.shape(1) == p && starts.shape(0) >= 1,
            "starts must have shape (1 or more, " + std::to_string(p) + ")");
    const SolverOptions solver = solver_options(tolerance, max_evaluations);
    const BootstrapOptions options{seed, first_draw, draws, early_stop, covariance, threads};
    const double* data = starts.data();
    const int count = static_cast<int>(starts.shape(0));
    const BootstrapResult r = watched(progress, [&](Monitor& monitor) {
        return bootstrap(objective, resampling, data, count, options, solver, monitor);
    });
    const auto yes_or_no = [](const std::vector<char>& values) {
        return to_array(values).attr("astype")("bool");
    };
    py::dict out;
    out["x"] = to_array(r.x, {draws, p});
    out["objective"] = to_array(r.objective);
    out["status"] = to_array(r.status);
    out["evaluations"] = to_array(r.evaluations);
    out["warm_start_was_beaten"] = yes_or_no(r.warm_start_was_beaten);
    out["followed"] = yes_or_no(r.followed);
    out["rows_used"] = to_array(r.rows_used);
    out["undetermined"] = yes_or_no(r.undetermined).attr("reshape")(draws, p);
    out["covariance"] = covariance ? py::object(to_array(r.covariance, {draws, p, p})) : py::none();
    out["own_covariance"] =
        covariance ? py::object(to_array(r.own_covariance, {p, p})) : py::none();
    out["other_evaluations"] = r.other_evaluations;
    out["claims_failed"] = r.claims_failed;
    out["interrupted"] = r.interrupted;
    return out;
}

}  // namespace

void bind_bootstrap(py::module_& m) {
    py::class_<Resampling>(m, "Resampling")
        .def(py::init(&make_resampling), py::arg("kind"), py::arg("unit"), py::arg("strata"),
             py::arg("length") = 1, py::arg("webb") = false,
             py::arg("density") = LossTuple("squared", 1.0, 1.0, 1.0), py::arg("spread") = 1.0)
        .def("draws", &draws_of, py::arg("seed"), py::arg("first"), py::arg("draws"),
             py::arg("given") = py::none(), py::arg("weight") = py::none());
    m.def("bootstrap", &run, py::arg("objective"), py::arg("resampling"), py::arg("starts"),
          py::arg("first_draw"), py::arg("draws"), py::arg("seed"), py::arg("early_stop"),
          py::arg("covariance"), py::arg("tolerance"), py::arg("max_evaluations"),
          py::arg("threads"), py::arg("progress"));
}
