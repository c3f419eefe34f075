// What all binding units share: arrays in and out, errors, and running without the GIL.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <algorithm>
#include <cstdint>
#include <exception>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <lawfit/parallel.hpp>

namespace py = pybind11;

using Array = py::array_t<double, py::array::c_style | py::array::forcecast>;

inline Array to_array(const std::vector<double>& values, std::vector<py::ssize_t> shape) {
    Array out(shape);
    std::copy(values.begin(), values.end(), out.mutable_data());
    return out;
}

template <class T>
py::array_t<T> to_array(const std::vector<T>& values) {
    py::array_t<T> out(static_cast<py::ssize_t>(values.size()));
    std::copy(values.begin(), values.end(), out.mutable_data());
    return out;
}

inline void require(bool condition, const std::string& message) {
    if (!condition) throw py::value_error(message);
}

// What `progress` is told when some tasks are done; by default their number.
using Told = std::function<std::int64_t(long done)>;

// Runs `body(monitor)` without the GIL. Ctrl-C stops it; what was finished by then is returned. An
// exception of `progress` stops it too and is rethrown once the workers have come to rest.
inline void run_watched(const py::object& progress, const Told& told,
                        const std::function<void(lawfit::Monitor&)>& body) {
    std::exception_ptr error;
    lawfit::Monitor monitor([&](long done) {
        const py::gil_scoped_acquire acquire;
        if (PyErr_CheckSignals() != 0) {
            // Ctrl-C is reported through `interrupted`, with the work done so far. What the
            // handler of another signal raised passes through.
            if (PyErr_ExceptionMatches(PyExc_KeyboardInterrupt))
                PyErr_Clear();
            else
                error = std::make_exception_ptr(py::error_already_set());
            return false;
        }
        if (progress.is_none()) return true;
        try {
            progress(told ? told(done) : done);
            return true;
        } catch (py::error_already_set&) {
            error = std::current_exception();
            return false;
        }
    });
    {
        const py::gil_scoped_release release;
        body(monitor);
    }
    if (error) std::rethrow_exception(error);
}

// The same for a body with a result.
template <class Body>
auto watched(const py::object& progress, Body body, const Told& told = {}) {
    std::optional<decltype(body(std::declval<lawfit::Monitor&>()))> result;
    run_watched(progress, told, [&](lawfit::Monitor& monitor) { result.emplace(body(monitor)); });
    return std::move(*result);
}
