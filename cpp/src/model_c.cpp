// The C interface: handles, and exceptions turned into codes and messages.
#include <algorithm>
#include <exception>
#include <new>
#include <string>

#include <lawfit/lawfit.h>
#include <lawfit/model/model.hpp>

struct lawfit_model {
    lawfit::Model model;
};

namespace {

thread_local std::string message;

lawfit_status failed(lawfit_status status, const char* why) noexcept {
    try {
        message = why;
    } catch (...) {
        message.clear();
    }
    return status;
}

// Runs body(), which returns a status; nothing escapes.
template <class Body>
lawfit_status guarded(Body body) noexcept {
    try {
        message.clear();
        return body();
    } catch (const lawfit::ModelError& error) {
        return failed(LAWFIT_BAD_INPUT, error.what());
    } catch (const std::bad_alloc&) {
        return failed(LAWFIT_OUT_OF_MEMORY, "out of memory");
    } catch (const std::exception& error) {
        return failed(LAWFIT_INTERNAL_ERROR, error.what());
    } catch (...) {
        return failed(LAWFIT_INTERNAL_ERROR, "unknown error");
    }
}

void require(const void* pointer, const char* what) {
    if (!pointer) throw lawfit::ModelError(std::string(what) + " is NULL");
}

const char* sentence(lawfit::Status status) {
#define LAWFIT_STATUS_SENTENCE(name, ok, text) \
    if (status == lawfit::Status::name) return text;
    LAWFIT_STATUSES(LAWFIT_STATUS_SENTENCE)
#undef LAWFIT_STATUS_SENTENCE
    return "";
}

template <class Named>
const char* name_of(const Named& named, int32_t k) {
    return k >= 0 && static_cast<std::size_t>(k) < named.size()
               ? named[static_cast<std::size_t>(k)].name.c_str()
               : nullptr;
}

}  // namespace

const char* lawfit_version(void) { return LAWFIT_VERSION; }

const char* lawfit_error_message(void) { return message.c_str(); }

lawfit_model* lawfit_model_load(const char* json, size_t length) {
    lawfit_model* loaded = nullptr;
    guarded([&] {
        require(json, "json");
        loaded = new lawfit_model{lawfit::Model::from_json({json, length})};
        return LAWFIT_OK;
    });
    return loaded;
}

void lawfit_model_free(lawfit_model* model) { delete model; }

const char* lawfit_model_formula(const lawfit_model* model) {
    return model ? model->model.formula().c_str() : nullptr;
}

int32_t lawfit_model_column_count(const lawfit_model* model) {
    return model ? static_cast<int32_t>(model->model.columns().size()) : 0;
}

const char* lawfit_model_column(const lawfit_model* model, int32_t k) {
    return model ? name_of(model->model.columns(), k) : nullptr;
}

int32_t lawfit_model_parameter_count(const lawfit_model* model) {
    return model ? static_cast<int32_t>(model->model.parameters().size()) : 0;
}

const char* lawfit_model_parameter(const lawfit_model* model, int32_t k) {
    return model ? name_of(model->model.parameters(), k) : nullptr;
}

lawfit_status lawfit_model_values(const lawfit_model* model, double* values) {
    return guarded([&] {
        require(model, "model");
        require(values, "values");
        if (model->model.values().empty())
            throw lawfit::ModelError("the model came without values of its parameters");
        std::copy(model->model.values().begin(), model->model.values().end(), values);
        return LAWFIT_OK;
    });
}

lawfit_status lawfit_model_predict(const lawfit_model* model, const double* const* columns,
                                   int64_t rows, const double* parameters, double* out) {
    return guarded([&] {
        require(model, "model");
        if (!model->model.columns().empty()) require(columns, "columns");
        require(parameters, "parameters");
        require(out, "out");
        model->model.predict({columns, static_cast<long>(rows)}, parameters, out);
        return LAWFIT_OK;
    });
}

lawfit_status lawfit_model_fit(const lawfit_model* model, const double* const* columns,
                               const double* target, int64_t rows,
                               const lawfit_fit_options* options, double* parameters,
                               lawfit_fit_summary* summary) {
    return guarded([&] {
        require(model, "model");
        if (!model->model.columns().empty()) require(columns, "columns");
        require(target, "target");
        require(parameters, "parameters");
        lawfit::Model::FitOptions given;
        if (options) {
            if (options->starts != 0) given.starts = static_cast<long>(options->starts);
            given.seed = options->seed;
            given.threads = options->threads;
            given.weight = options->weight;
            given.sigma = options->sigma;
        }
        const auto fit = model->model.fit({columns, static_cast<long>(rows)}, target, given);
        std::copy(fit.parameters.begin(), fit.parameters.end(), parameters);
        if (summary)
            *summary = {fit.objective, fit.scale,       fit.starts,
                        fit.hits,      fit.evaluations, sentence(fit.status)};
        if (lawfit::succeeded(fit.status)) return LAWFIT_OK;
        return failed(LAWFIT_FIT_FAILED, sentence(fit.status));
    });
}
