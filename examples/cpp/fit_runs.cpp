// Loads a law that Python exported, fits it to runs, and predicts a run that was not made.
//
//   python -c 'import lawfit as lf; lf.export_model(lf.load("fit.json"), "chinchilla.json")'
//   fit_runs chinchilla.json
#include <cmath>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <sstream>
#include <vector>

#include <lawfit/model/model.hpp>

int main(int count, char** arguments) try {
    if (count != 2) {
        std::cerr << "usage: fit_runs MODEL.json\n";
        return 2;
    }
    std::ifstream file(arguments[1]);
    std::stringstream text;
    text << file.rdbuf();
    const auto model = lawfit::Model::from_json(text.str());

    // Runs: here what the model predicts with the values that it came with, and some noise.
    std::vector<double> n, d;
    for (int i = 0; i < 60; ++i) {
        n.push_back(5e7 * std::pow(1.5, i % 12));
        d.push_back(n.back() * 5.0 * std::pow(2.0, i / 12));
    }
    std::vector<const double*> columns = {n.data(), d.data()};
    const lawfit::Model::Table runs = {columns.data(), static_cast<long>(n.size())};
    std::vector<double> loss(n.size());
    model.predict(runs, model.values().data(), loss.data());
    for (std::size_t i = 0; i < loss.size(); ++i) loss[i] *= 1.0 + 0.002 * std::sin(7.0 * i * i);

    const auto fit = model.fit(runs, loss.data());
    std::printf("%s\n%ld of %ld starts reached %.6g\n", model.formula().c_str(), fit.hits, fit.starts,
                fit.objective);
    for (std::size_t k = 0; k < fit.parameters.size(); ++k)
        std::printf("  %-6s %.6g\n", model.parameters()[k].name.c_str(), fit.parameters[k]);

    const double size = 7e10, tokens = 1.4e12;
    const double* one[] = {&size, &tokens};
    double predicted = 0.0;
    model.predict({one, 1}, fit.parameters.data(), &predicted);
    std::printf("loss at N = %g, D = %g: %.4f\n", size, tokens, predicted);
    return lawfit::succeeded(fit.status) ? 0 : 1;
} catch (const lawfit::ModelError& error) {
    std::cerr << "fit_runs: " << error.what() << "\n";
    return 2;
}
