// The library without Python: describe a law, simulate runs of it, fit them from a grid of starts.
#include <algorithm>
#include <cmath>
#include <cstdio>

#include <lawfit/random.hpp>
#include <lawfit/search/multistart.hpp>

using namespace lawfit;

int main() {
    Program::Parts law;                    // log L = log(exp(E) + exp(A) N^-alpha) with x = -log N
    law.columns = {"x"};                   // id 0
    law.parameters = {"E", "A", "alpha"};  // slots 0 .. 2
    law.row_operations = {{Opcode::affine_, {1, 2, 0}},              // id 1: A + alpha x
                          {Opcode::logsumexp_, {1, -1, 0, -1, 1}}};  // id 2
    law.output = 2;

    const double truth[] = {0.5, 6.0, 0.34};
    std::vector<double> x, y;
    Philox random(1, 0);
    for (int i = 0; i < 100; ++i) {
        const double noise = 1e-3 * (random.next() / 4294967296.0 - 0.5);
        x.push_back(-16.0 - 0.07 * i);
        y.push_back(std::log(std::exp(truth[0]) + std::exp(truth[1] + truth[2] * x.back())) +
                    noise);
    }

    Objective::Data runs;
    runs.columns = {x.data()};
    runs.target = y.data();
    runs.rows = 100;
    const Objective objective(
        Program(law), runs, {{LossKind::linear, 1e-3, 1e-3, 1e-3}, false, 0.0},  // Huber
        {{0, 1, 2}, {0.0, 0.0, 0.0}, 3},                                         // all free
        {Vector::Constant(3, -INFINITY), Vector::Constant(3, INFINITY), Vector::Ones(3)});
    const std::vector<double> starts = {-1, 0, 0.1, -1, 10, 0.5, 1, 0, 0.1, 1, 10, 0.5};
    Monitor monitor;
    const MultistartResult fits = multistart(objective, starts.data(), 4, {}, true, 0, monitor);

    const auto best =
        std::min_element(fits.objective.begin(), fits.objective.end()) - fits.objective.begin();
    bool near = succeeded(static_cast<Status>(fits.status[best]));
    for (int k = 0; k < 3; ++k) {
        const double value = fits.x[3 * best + k];
        std::printf("%s = %.5f, simulated with %g\n", law.parameters[k].c_str(), value, truth[k]);
        near = near && std::fabs(value - truth[k]) < 0.02 * std::fabs(truth[k]);
    }
    return near ? 0 : 1;
}
