// The library without Python: describe a law, simulate runs of it, fit them from a grid of starts.
#include <cmath>
#include <cstdio>
#include <vector>

#include <lawfit/random.hpp>
#include <lawfit/search/multistart.hpp>

using namespace lawfit;

int main() {
    // log L = log(exp(E) + exp(A) N^-alpha), with N given as its negative logarithm
    Program::Parts law;
    law.columns = {"-log N"};                                           // id 0
    law.parameters = {"E", "A", "alpha"};                               // slots 0 .. 2
    law.row_operations = {{Opcode::affine_, {1, 2, 0}},                 // id 1: A - alpha log N
                          {Opcode::logsumexp_, {1, -1, 0, -1, 1}}};     // id 2
    law.output = 2;
    const double truth[] = {0.5, 6.0, 0.34};

    const int rows = 100;
    std::vector<double> x, y;
    Philox random(1, 0);
    for (int i = 0; i < rows; ++i) {
        x.push_back(-std::log(1e7) - std::log(1e3) * i / (rows - 1));
        const double noise = 1e-3 * (random.next() / 4294967296.0 - 0.5);
        y.push_back(std::log(std::exp(truth[0]) + std::exp(truth[1] + truth[2] * x.back())) + noise);
    }

    const double infinity = INFINITY, huber = 1e-3;
    const Objective objective(
        Program(law), {{x.data()}, y.data(), nullptr, nullptr, rows},
        {{LossKind::linear, huber, huber, huber}, false, 0.0}, {{0, 1, 2}, {0, 0, 0}, 3},
        {Vector::Constant(3, -infinity), Vector::Constant(3, infinity), Vector::Ones(3)});

    std::vector<double> starts;
    for (const double E : {-1.0, 1.0})
        for (const double A : {0.0, 10.0})
            for (const double alpha : {0.1, 1.0}) starts.insert(starts.end(), {E, A, alpha});
    Monitor monitor;
    const MultistartResult fits = multistart(objective, starts.data(), 8, {}, 0, monitor);

    std::size_t best = 0;
    for (std::size_t i = 1; i < 8; ++i)
        if (fits.objective[i] < fits.objective[best]) best = i;
    bool near = succeeded(static_cast<Status>(fits.status[best]));
    for (std::size_t k = 0; k < 3; ++k) {
        const double fitted = fits.x[3 * best + k];
        std::printf("%-6s %.6f  (simulated with %.2f)\n", law.parameters[k].c_str(), fitted, truth[k]);
        near = near && std::fabs(fitted - truth[k]) < 0.02 * std::fabs(truth[k]);
    }
    return near ? 0 : 1;
}
