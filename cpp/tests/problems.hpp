// Programs and tables that several tests use.
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

#include <lawfit/objective/objective.hpp>
#include <lawfit/random.hpp>

namespace problems {

using namespace lawfit;

constexpr double infinity = std::numeric_limits<double>::infinity();

// Uniform in (0, 1).
inline double uniform(Philox& random) { return (random.next() + 0.5) / 4294967296.0; }
inline double normal(Philox& random) {
    const double radius = std::sqrt(-2.0 * std::log(uniform(random)));
    return radius * std::cos(6.283185307179586 * uniform(random));
}

// log L = log(exp(E) + exp(A) N^-alpha + exp(B) D^-beta)
inline Program::Parts chinchilla_parts() {
    Program::Parts parts;
    parts.columns = {"N", "D"};                               // ids 0, 1
    parts.parameters = {"E", "A", "B", "alpha", "beta"};      // slots 0 .. 4
    parts.constants = {-1.0};                                 // slot 5
    parts.data_operations = {{Opcode::log_, {0}},             // id 2: log N
                             {Opcode::affine_, {-1, 5, 2}},   // id 3: -log N
                             {Opcode::log_, {1}},             // id 4: log D
                             {Opcode::affine_, {-1, 5, 4}}};  // id 5: -log D
    parts.row_operations = {{Opcode::affine_, {1, 3, 3}},     // id 6: A - alpha log N
                            {Opcode::affine_, {2, 4, 5}},     // id 7: B - beta log D
                            {Opcode::logsumexp_, {1, -1, 0, -1, 6, -1, 7}}};  // id 8
    parts.output = 8;
    return parts;
}
inline const std::vector<double> chinchilla_truth = {0.6, 6.2, 7.7, 0.35, 0.37};

struct Table {
    std::vector<double> N, D, target;
    int rows() const { return static_cast<int>(N.size()); }
    std::vector<const double*> columns() const { return {N.data(), D.data()}; }
};

// Runs of the law above, their log losses disturbed by `noise` with one row in ten ten times worse.
inline Table chinchilla_table(int rows, double noise, std::uint64_t seed = 1) {
    Table table;
    Philox random(seed, 0);
    const std::vector<double>& t = chinchilla_truth;
    for (int i = 0; i < rows; ++i) {
        const double n = std::pow(10.0, 7.5 + 2.7 * uniform(random));
        const double d = std::pow(10.0, 9.0 + 2.2 * uniform(random));
        const double loss = std::exp(t[0]) + std::exp(t[1] - t[3] * std::log(n)) +
                            std::exp(t[2] - t[4] * std::log(d));
        const double spread = noise * (uniform(random) < 0.1 ? 10.0 : 1.0);
        table.N.push_back(n);
        table.D.push_back(d);
        table.target.push_back(std::log(loss) + spread * normal(random));
    }
    return table;
}

inline LossSpec linear_loss(double above, double below, double core) {
    return {LossKind::linear, above, below, core};
}
inline LossSpec huber(double core) { return linear_loss(core, core, core); }

// Every parameter free, without bounds.
inline Parameterisation all_free(int parameters) {
    Parameterisation p;
    for (int k = 0; k < parameters; ++k) p.source.push_back(k);
    p.value.assign(static_cast<std::size_t>(parameters), 0.0);
    p.free_count = parameters;
    return p;
}
inline Objective::Bounds no_bounds(int dimension) {
    return {Vector::Constant(dimension, -infinity), Vector::Constant(dimension, infinity),
            Vector::Ones(dimension)};
}

inline Objective objective_of(const Program& program, const std::vector<const double*>& columns,
                              const std::vector<double>& target, const Objective::Terms& terms,
                              Objective::Bounds bounds) {
    Objective::Data data;
    data.columns = columns;
    data.target = target.data();
    data.rows = static_cast<int>(target.size());
    return Objective(program, data, terms, all_free(program.parameter_count()), std::move(bounds));
}

inline Objective chinchilla_objective(const Table& table, const LossSpec& loss,
                                      bool scale_is_fitted = false) {
    const Program program{chinchilla_parts()};
    const int dimension = program.parameter_count() + (scale_is_fitted ? 1 : 0);
    return objective_of(program, table.columns(), table.target, {loss, scale_is_fitted, 0.7},
                        no_bounds(dimension));
}

// A start some way off the truth, the last entry NaN when the scale is fitted.
inline Vector chinchilla_start(int dimension) {
    Vector start = Vector::Constant(dimension, NAN);
    start.head(5) << 0.0, 10.0, 5.0, 0.5, 0.2;
    return start;
}

// Residuals 10 (b - a^2) and 1 - a, as columns that are 10 or 1 in their own row, and a third one that
// nothing can change.
inline Objective rosenbrock_objective() {
    Program::Parts parts;
    parts.columns = {"first", "second"};
    parts.parameters = {"a", "b"};                              // slots 0, 1
    parts.constants = {-1.0, 1.0};                              // slots 2, 3
    parts.uniform_operations = {{Opcode::mul_, {0, 0}},         // slot 4: a^2
                                {Opcode::affine_, {-1, 2, 4}},  // slot 5: -a^2
                                {Opcode::affine_, {3, 2, 0}}};  // slot 6: 1 - a
    parts.row_operations = {{Opcode::affine_, {-1, 1, 0, 5, 0, 6, 1}}};
    parts.output = 2;
    const std::vector<double> first = {10.0, 0.0, 0.0}, second = {0.0, 1.0, 0.0};
    return objective_of(Program(parts), {first.data(), second.data()}, {0.0, 0.0, 0.5}, {},
                        no_bounds(2));
}

}  // namespace problems
