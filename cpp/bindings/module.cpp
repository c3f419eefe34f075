// The Python module lawfit._core: arrays in, GIL released, arrays out. Checks nothing that Python
// layers have not promised, except sizes.
#include <pybind11/stl.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <string>

#include <lawfit/kernels.hpp>
#include <lawfit/objective/objective_evaluator.hpp>
#include <lawfit/parallel.hpp>
#include <lawfit/search/levels.hpp>
#include <lawfit/search/multistart.hpp>
#include <lawfit/status.hpp>

#include "settings.hpp"

using namespace lawfit;

void bind_batch(py::module_& m);      // batch.cpp
void bind_bootstrap(py::module_& m);  // bootstrap.cpp
void bind_follow(py::module_& m);     // follow.cpp
void bind_grid(py::module_& m);       // grid.cpp
void bind_profile(py::module_& m);    // profile.cpp

namespace {

using OperationTuple = std::tuple<std::string, std::vector<int>>;

Vector to_vector(const Array& a) { return Eigen::Map<const Vector>(a.data(), a.size()); }

Vector point_of(const Objective& o, const Array& x) {
    require(x.size() == o.dimension(),
            "x must have shape (" + std::to_string(o.dimension()) + ",)");
    return to_vector(x);
}

Array from_vector(const Vector& v) { return Array(v.size(), v.data()); }

Array from_symmetric(const SymmetricMatrix& m) {
    Matrix full;
    m.to_full(full);
    Array out({full.rows(), full.cols()});
    std::copy(full.data(), full.data() + full.size(), out.mutable_data());
    return out;
}

std::vector<Operation> operations(const std::vector<OperationTuple>& list) {
    std::vector<Operation> out;
    for (const auto& [name, operands] : list) {
        const Opcode code = opcode_from_name(name);
        require(code != Opcode::count_, "program: there is no operation \"" + name + "\"");
        out.push_back({code, operands});
    }
    return out;
}

std::vector<OperationTuple> operation_tuples(const std::vector<Operation>& list) {
    std::vector<OperationTuple> out;
    for (const Operation& op : list) out.emplace_back(opcode_name(op.code), op.operands);
    return out;
}

// What body(monitor) finds; an interrupt leaves nothing worth keeping.
template <class Body>
auto uninterrupted(Body body, const py::object& progress = py::none()) {
    bool interrupted = false;
    auto found = watched(progress, [&](Monitor& monitor) {
        auto all = body(monitor);
        interrupted = monitor.stopped();
        return all;
    });
    if (interrupted) {
        PyErr_SetNone(PyExc_KeyboardInterrupt);
        throw py::error_already_set();
    }
    return found;
}

// The value, and on request the Jacobian, of a program over a table.
py::object evaluate(const Program& program, const std::vector<Array>& columns, py::ssize_t rows,
                    const Array& parameters, bool with_jacobian) {
    require(parameters.size() == program.parameter_count(),
            "expected " + std::to_string(program.parameter_count()) + " parameters, got " +
                std::to_string(parameters.size()));
    const auto pointers = column_pointers(program, columns, rows);
    const auto p = static_cast<py::ssize_t>(program.parameter_count());
    Array values(rows);
    Array jacobian({with_jacobian ? rows : 0, p});
    double* out = values.mutable_data();
    double* out_jacobian = jacobian.mutable_data();
    const double* in = parameters.data();
    {
        const py::gil_scoped_release release;  // every Python object has been turned into a pointer
        const BoundColumns bound(program, pointers, static_cast<int>(rows));
        Evaluator evaluator(program, bound);
        evaluator.set_parameters(in);
        const Buffer ones(static_cast<std::size_t>(Evaluator::block_rows), 1.0);
        for (int b = 0; b < evaluator.block_count(); ++b) {
            const py::ssize_t at = static_cast<py::ssize_t>(b) * Evaluator::block_rows;
            const py::ssize_t n = std::min<py::ssize_t>(evaluator.block_size(b), rows - at);
            const double* z = evaluator.forward(b);
            std::copy(z, z + n, out + at);
            if (!with_jacobian) continue;
            const double* const* leaf = evaluator.reverse(b, ones.data());
            const double* chain = evaluator.leaf_jacobian();
            for (py::ssize_t i = 0; i < n; ++i)
                for (py::ssize_t k = 0; k < p; ++k) {
                    double d = 0.0;
                    for (std::size_t l = 0; l < program.leaves().size(); ++l) {
                        const double c =
                            chain[l * static_cast<std::size_t>(p) + static_cast<std::size_t>(k)];
                        if (c != 0.0 && leaf[l][i] != 0.0) d += leaf[l][i] * c;
                    }
                    out_jacobian[(at + i) * p + k] = d;
                }
        }
    }
    if (!with_jacobian) return std::move(values);
    return py::make_tuple(values, jacobian);
}

using PenaltyTuple = std::tuple<std::vector<int>, std::vector<double>, double>;

std::unique_ptr<Objective> make_objective(
    const Program& program, const std::vector<Array>& columns, const Array& target,
    const std::optional<Array>& weight, const std::optional<Array>& sigma, const LossTuple& loss,
    bool scale_is_fitted, double log_normaliser, const IntArray& source, const Array& value,
    int free_count, const Array& lower, const Array& upper, const Array& typical,
    const std::string& space, const IntArray& order, const IntArray& segment_rows,
    const std::optional<Array>& side, const std::vector<PenaltyTuple>& penalties) {
    Objective::Data data;
    data.rows = static_cast<int>(target.size());
    data.columns = column_pointers(program, columns, target.size());
    data.target = target.data();
    require(!weight || weight->size() == target.size(), "weight and target differ in length");
    require(!sigma || sigma->size() == target.size(), "sigma and target differ in length");
    require(!side || side->size() == target.size(), "side and target differ in length");
    data.side = side ? side->data() : nullptr;
    data.weight = weight ? weight->data() : nullptr;
    data.sigma = sigma ? sigma->data() : nullptr;
    data.target_transform = space_transform(space);
    data.order.assign(order.data(), order.data() + order.size());
    data.segment_rows.assign(segment_rows.data(), segment_rows.data() + segment_rows.size());
    Parameterisation parameterisation;
    parameterisation.source.assign(source.data(), source.data() + source.size());
    parameterisation.value.assign(value.data(), value.data() + value.size());
    parameterisation.free_count = free_count;
    std::vector<Objective::Penalty> added;
    for (const auto& [index, coefficient, offset] : penalties)
        added.push_back({index, coefficient, offset});
    return std::make_unique<Objective>(
        program, data, Objective::Terms{loss_spec(loss), scale_is_fitted, log_normaliser},
        std::move(parameterisation),
        Objective::Bounds{to_vector(lower), to_vector(upper), to_vector(typical)},
        std::move(added));
}

py::dict run_multistart(const Objective& objective, const Array& starts, double tolerance,
                        int max_evaluations, bool early_stop, int threads,
                        const py::object& progress) {
    require_points(objective, starts, "starts");
    const SolverOptions options = solver_options(tolerance, max_evaluations);
    const double* data = starts.data();
    const long count = static_cast<long>(starts.shape(0));
    const MultistartResult r = watched(progress, [&](Monitor& monitor) {
        return multistart(objective, data, count, options, early_stop, threads, monitor);
    });
    py::dict out;
    out["x"] = to_array(r.x, {count, objective.dimension()});
    out["objective"] = to_array(r.objective);
    out["decrement"] = to_array(r.decrement);
    out["status"] = to_array(r.status);
    out["evaluations"] = to_array(r.evaluations);
    out["joined"] = to_array(r.joined);
    out["repeats"] = to_array(r.repeats);
    out["checked"] = r.checked;
    out["refuted"] = r.refuted;
    out["interrupted"] = r.interrupted;
    return out;
}

py::dict info() {
    py::dict out;
    out["instruction_set"] = kernels::active().name;
    py::list sets;
    for (int i = 0; kernels::available_builds[i]; ++i)
        if (kernels::runs_here(*kernels::available_builds[i]))
            sets.append(kernels::available_builds[i]->name);
    out["instruction_sets"] = sets;
    out["openmp"] = has_openmp();
    out["threads"] = thread_count(0);
    out["compiler"] = LAWFIT_COMPILER;
    out["version"] = LAWFIT_VERSION;
    return out;
}

}  // namespace

// Everything bound is immutable once made, or belongs to one call.
PYBIND11_MODULE(_core, m, py::mod_gil_not_used()) {
    m.doc() = "Compiled core of lawfit. Private: use the package's own functions.";

    py::class_<Program>(m, "Program")
        .def(py::init([](std::vector<std::string> columns, std::vector<std::string> parameters,
                         std::vector<double> constants,
                         const std::vector<OperationTuple>& data_operations,
                         const std::vector<OperationTuple>& uniform_operations,
                         const std::vector<OperationTuple>& row_operations, int output) {
                 return Program({std::move(columns), std::move(parameters), std::move(constants),
                                 operations(data_operations), operations(uniform_operations),
                                 operations(row_operations), output});
             }),
             py::arg("columns"), py::arg("parameters"), py::arg("constants"),
             py::arg("data_operations"), py::arg("uniform_operations"), py::arg("row_operations"),
             py::arg("output"))
        .def_property_readonly("columns", &Program::columns)
        .def_property_readonly("parameters", &Program::parameters)
        .def_property_readonly("constants", &Program::constants)
        .def_property_readonly(
            "data_operations",
            [](const Program& p) { return operation_tuples(p.data_operations()); })
        .def_property_readonly(
            "uniform_operations",
            [](const Program& p) { return operation_tuples(p.uniform_operations()); })
        .def_property_readonly(
            "row_operations", [](const Program& p) { return operation_tuples(p.row_operations()); })
        .def_property_readonly("output", &Program::output)
        .def("disassemble", &Program::disassemble)
        .def(
            "values",
            [](const Program& p, const std::vector<Array>& columns, py::ssize_t rows,
               const Array& x) { return evaluate(p, columns, rows, x, false); },
            py::arg("columns"), py::arg("rows"), py::arg("parameters"))
        .def(
            "values_and_jacobian",
            [](const Program& p, const std::vector<Array>& columns, py::ssize_t rows,
               const Array& x) { return evaluate(p, columns, rows, x, true); },
            py::arg("columns"), py::arg("rows"), py::arg("parameters"));

    py::class_<Objective>(m, "Objective")
        .def(py::init(&make_objective), py::arg("program"), py::arg("columns"), py::arg("target"),
             py::arg("weight"), py::arg("sigma"), py::arg("loss"), py::arg("scale_is_fitted"),
             py::arg("log_normaliser"), py::arg("source"), py::arg("value"), py::arg("free_count"),
             py::arg("lower"), py::arg("upper"), py::arg("typical"), py::arg("space") = "linear",
             py::arg("order") = IntArray(0), py::arg("segment_rows") = IntArray(0),
             py::arg("side") = py::none(), py::arg("penalties") = std::vector<PenaltyTuple>())
        .def_property_readonly("dimension", &Objective::dimension)
        .def_property_readonly("rows", &Objective::rows)
        .def(
            "value",
            [](const Objective& o, const Array& x) {
                return ObjectiveEvaluator(o).value(point_of(o, x));
            },
            py::arg("x"))
        .def(
            "derivatives",
            [](const Objective& o, const Array& x) {
                ObjectiveEvaluator evaluator(o);
                Vector gradient;
                SymmetricMatrix bend(o.pattern()), curvature(o.pattern());
                const double f = evaluator.value(point_of(o, x));
                evaluator.derivatives(gradient, &bend, &curvature);
                return py::make_tuple(f, from_vector(gradient), from_symmetric(bend),
                                      from_symmetric(curvature));
            },
            py::arg("x"))
        .def(
            "gauss_newton",
            [](const Objective& o, const Array& x, long repeats) {
                require(repeats >= 1, "repeats must be at least 1");
                ObjectiveEvaluator evaluator(o);
                const Vector point = point_of(o, x);
                Vector gradient;
                SymmetricMatrix bend(o.pattern());
                double f = 0.0;
                for (long i = 0; i < repeats; ++i) {
                    f = evaluator.value(point);
                    evaluator.derivatives(gradient, &bend, nullptr);
                }
                return py::make_tuple(f, from_vector(gradient), from_symmetric(bend));
            },
            py::arg("x"), py::arg("repeats") = 1)
        .def(
            "hessian",
            [](const Objective& o, const Array& x) {
                ObjectiveEvaluator evaluator(o);
                Vector gradient;
                SymmetricMatrix curvature(o.pattern()), second(o.pattern());
                evaluator.value(point_of(o, x));
                evaluator.derivatives(gradient, nullptr, &curvature);
                evaluator.second_order(second);
                curvature += second;
                return from_symmetric(curvature);
            },
            py::arg("x"))
        .def(
            "values_at",
            [](const Objective& o, const Array& points, int threads) {
                require_points(o, points, "points");
                const double* data = points.data();
                const long count = static_cast<long>(points.shape(0));
                return to_array(uninterrupted(
                    [&](Monitor& monitor) { return values_at(o, data, count, threads, monitor); }));
            },
            py::arg("points"), py::arg("threads") = 0)
        .def(
            "screen",
            [](const Objective& o, const Array& points, int threads) {
                require_points(o, points, "points");
                Array moved = copy_of(points);
                double* data = moved.mutable_data();
                const long count = static_cast<long>(points.shape(0));
                const std::vector<double> found = uninterrupted(
                    [&](Monitor& monitor) { return screen(o, data, count, threads, monitor); });
                return py::make_tuple(moved, to_array(found));
            },
            py::arg("points"), py::arg("threads") = 0)
        .def(
            "choose_levels",
            [](const Objective& o, const Array& points, int threads, const py::object& progress) {
                require_points(o, points, "points");
                Array moved = copy_of(points);
                double* data = moved.mutable_data();
                const long count = static_cast<long>(points.shape(0));
                const auto choose = [&](Monitor& monitor) {
                    choose_levels(o, data, count, threads, monitor);
                    return true;
                };
                uninterrupted(choose, progress);
                return moved;
            },
            py::arg("points"), py::arg("threads") = 0, py::arg("progress") = py::none());

    m.def(
        "earlier_same",
        [](const Array& starts) {
            require(starts.ndim() == 2, "starts must have shape (starts, dimension)");
            return to_array(earlier_same(starts.data(), static_cast<long>(starts.shape(0)),
                                         static_cast<int>(starts.shape(1))));
        },
        py::arg("starts"));
    m.def("multistart", &run_multistart, py::arg("objective"), py::arg("starts"),
          py::arg("tolerance"), py::arg("max_evaluations"), py::arg("early_stop"),
          py::arg("threads"), py::arg("progress"));
    bind_batch(m);
    bind_bootstrap(m);
    bind_follow(m);
    bind_grid(m);
    bind_profile(m);
    m.def("info", &info);
    m.def("select_instruction_set", &kernels::select, py::arg("name"));
    m.def("set_serial_only", &set_serial_only);

    py::list statuses;
#define LAWFIT_STATUS_TUPLE(name, ok, sentence) \
    statuses.append(py::make_tuple(#name, ok, sentence));
    LAWFIT_STATUSES(LAWFIT_STATUS_TUPLE)
#undef LAWFIT_STATUS_TUPLE
    m.attr("statuses") = statuses;
}
