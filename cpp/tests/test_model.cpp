// Models from JSON: what they predict, what they are fitted to, what they refuse; and the C interface.
#include <cmath>
#include <fstream>
#include <functional>
#include <sstream>
#include <string>
#include <vector>

#include <lawfit/lawfit.h>
#include <lawfit/model/model.hpp>
#include <lawfit/random.hpp>

#include "check.hpp"

using lawfit::Model;
using lawfit::ModelError;

namespace {

std::string example() {
    std::ifstream file(EXAMPLE_MODEL);
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
}

struct Runs {
    std::vector<double> n, d, loss;
    std::vector<const double*> columns() const { return {n.data(), d.data()}; }
    long rows() const { return static_cast<long>(n.size()); }
};

const double truth[] = {1.8, 500.0, 0.35, 2000.0, 0.37};  // E, A, alpha, B, beta

double law(const double* p, double n, double d) {
    return p[0] + p[1] / std::pow(n, p[2]) + p[3] / std::pow(d, p[4]);
}

Runs simulated(int rows, double noise) {
    lawfit::Philox random(7, 0);
    const auto uniform = [&random] { return random.next() / 4294967296.0; };
    Runs runs;
    for (int i = 0; i < rows; ++i) {
        runs.n.push_back(std::exp(17.0 + 6.0 * uniform()));
        runs.d.push_back(std::exp(20.0 + 6.0 * uniform()));
        runs.loss.push_back(law(truth, runs.n.back(), runs.d.back()) *
                            std::exp(noise * (uniform() - 0.5)));
    }
    return runs;
}

std::string message_of(const std::function<void()>& action) {
    try {
        action();
    } catch (const ModelError& error) {
        return error.what();
    }
    return "";
}

bool contains(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
    const auto at = text.find(from);
    CHECK(at != std::string::npos);
    return at == std::string::npos ? text : text.replace(at, from.size(), to);
}

void predicts_and_fits() {
    const Model model = Model::from_json(example());
    CHECK(model.columns().size() == 2 && model.columns()[1].name == "D");
    CHECK(model.parameters().size() == 5 && model.parameters()[2].name == "alpha");
    CHECK(model.values().size() == 5);

    const Runs runs = simulated(700, 0.004);  // more than two blocks
    const auto columns = runs.columns();
    std::vector<double> out(runs.n.size());
    model.predict({columns.data(), runs.rows()}, truth, out.data());
    for (std::size_t i = 0; i < out.size(); ++i)
        CHECK_CLOSE(out[i], law(truth, runs.n[i], runs.d[i]), 1e-13);

    Model::FitOptions options;
    options.starts = 40;
    const auto fit = model.fit({columns.data(), runs.rows()}, runs.loss.data(), options);
    CHECK(lawfit::succeeded(fit.status));
    CHECK(fit.starts == 40 && fit.hits >= 36 && fit.hits <= 40);
    for (int k = 0; k < 5; ++k)
        CHECK(std::fabs(fit.parameters[static_cast<std::size_t>(k)] / truth[k] - 1.0) < 0.1);

    options.threads = 2;
    const auto again = model.fit({columns.data(), runs.rows()}, runs.loss.data(), options);
    CHECK(again.parameters == fit.parameters && again.evaluations == fit.evaluations);

    // Rows of weight zero do not count.
    Runs spoilt = runs;
    std::vector<double> weight(runs.n.size(), 1.0);
    spoilt.loss[3] = 50.0;
    weight[3] = 0.0;
    options.weight = weight.data();
    const auto without = model.fit({columns.data(), runs.rows()}, spoilt.loss.data(), options);
    CHECK(std::fabs(without.parameters[0] / fit.parameters[0] - 1.0) < 1e-2);
}

void refuses() {
    const std::string good = example();
    for (const char* text : {"", "{", "[]", "3", "{\"lawfit_model\": 2}", "\"x\"", "null"})
        CHECK(message_of([&] { Model::from_json(text); }) != "");
    CHECK(message_of([&] { Model::from_json(std::string(1000000, '[')); }) != "");
    CHECK(contains(message_of([&] { Model::from_json(replaced(good, "\"affine\"", "\"afine\"")); }),
                   "afine"));
    CHECK(contains(message_of([&] {
                       Model::from_json(replaced(good, "\"residual\": \"log\"", "\"residual\": 1"));
                   }),
                   "residual"));
    CHECK(contains(
        message_of([&] { Model::from_json(replaced(good, "\"output\": ", "\"output\": 99")); }),
        "output"));
    CHECK(contains(
        message_of([&] { Model::from_json(replaced(good, "\"name\": \"N\"", "\"name\": \"M\"")); }),
        "columns"));

    const Model model = Model::from_json(good);
    Runs runs = simulated(20, 0.0);
    const auto columns = runs.columns();
    std::vector<double> out(20);
    const auto predicted = [&] { model.predict({columns.data(), 20}, truth, out.data()); };
    const auto fitted = [&] { model.fit({columns.data(), 20}, runs.loss.data()); };
    runs.n[4] = -1.0;
    CHECK(contains(message_of(predicted), "\"N\", row 5: -1 is not above 0"));
    runs.n[4] = NAN;
    CHECK(contains(message_of(predicted), "row 5"));
    runs.n[4] = 1e9;
    runs.loss[1] = 0.0;
    CHECK(contains(message_of(fitted), "target, row 2: 0 is not above 0"));
    CHECK(
        contains(message_of([&] { model.fit({columns.data(), 3}, runs.loss.data()); }), "3 rows"));
    CHECK(contains(message_of([&] { model.predict({columns.data(), 0}, truth, out.data()); }),
                   "no rows"));
    Model::FitOptions options;
    options.starts = 0;
    CHECK(contains(message_of([&] { model.fit({columns.data(), 20}, runs.loss.data(), options); }),
                   "starts = 0"));
}

void c_interface() {
    const std::string text = example();
    CHECK(lawfit_model_load("{", 1) == nullptr);
    CHECK(contains(lawfit_error_message(), "not JSON"));
    CHECK(lawfit_model_load(nullptr, 0) == nullptr);
    lawfit_model* model = lawfit_model_load(text.data(), text.size());
    CHECK(model != nullptr);
    CHECK(std::string(lawfit_error_message()).empty());
    CHECK(lawfit_model_column_count(model) == 2 && lawfit_model_parameter_count(model) == 5);
    CHECK(std::string(lawfit_model_parameter(model, 4)) == "beta");
    CHECK(lawfit_model_parameter(model, 5) == nullptr && lawfit_model_column(model, -1) == nullptr);

    Runs runs = simulated(100, 0.004);
    const auto columns = runs.columns();
    double parameters[5], values[5], out[100];
    lawfit_fit_summary summary;
    const lawfit_fit_options options = {40, 1, 2, nullptr, nullptr};
    CHECK(lawfit_model_fit(model, columns.data(), runs.loss.data(), 100, &options, parameters,
                           &summary) == LAWFIT_OK);
    CHECK(summary.hits >= 36 && summary.objective > 0.0 && summary.scale == 0.0);
    CHECK(contains(summary.message, "converged"));
    CHECK(lawfit_model_values(model, values) == LAWFIT_OK && values[0] > 1.0);
    CHECK(lawfit_model_predict(model, columns.data(), 100, parameters, out) == LAWFIT_OK);
    CHECK_CLOSE(out[9], runs.loss[9], 0.01);
    runs.loss[0] = -1.0;
    CHECK(lawfit_model_fit(model, columns.data(), runs.loss.data(), 100, nullptr, parameters,
                           nullptr) == LAWFIT_BAD_INPUT);
    CHECK(contains(lawfit_error_message(), "row 1"));
    CHECK(lawfit_model_predict(model, columns.data(), 100, nullptr, out) == LAWFIT_BAD_INPUT);
    lawfit_model_free(model);
    lawfit_model_free(nullptr);
}

}  // namespace

void run_tests() {
    predicts_and_fits();
    refuses();
    c_interface();
}
