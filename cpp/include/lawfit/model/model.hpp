// A law with the names and units that people use, ready to predict and to be fitted: what an embedding
// program loads from the JSON that `lawfit export` writes.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <lawfit/expression/program.hpp>
#include <lawfit/kernels.hpp>
#include <lawfit/parallel.hpp>
#include <lawfit/solver/solver.hpp>

namespace lawfit {

// What the caller gave cannot be used; the message says what was given and what was expected.
class ModelError : public std::exception {
public:
    explicit ModelError(std::string message) : message_(std::move(message)) {}
    const char* what() const noexcept override { return message_.c_str(); }

private:
    std::string message_;
};

struct ModelColumn {
    std::string name;
    bool positive = false;  // every value must be above zero
};

struct ModelParameter {
    std::string name;
    bool log = false;              // fitted as its logarithm, and positive
    double lower, upper;           // bounds in natural units, infinite where there is none
    double start_low, start_high;  // where starts are drawn, in natural units
};

class Model {
public:
    // A table without a copy: columns[k] holds `rows` values of columns()[k].
    struct Table {
        const double* const* columns = nullptr;
        long rows = 0;
    };

    struct FitOptions {
        long starts = 100;
        std::uint64_t seed = 0;
        int threads = 0;                 // 0: all that OMP_NUM_THREADS allows
        const double* weight = nullptr;  // (rows,): multiplies the loss of a row
        const double* sigma = nullptr;   // (rows,): divides the residual of a row
        SolverOptions solver = {};
    };

    struct Fit {
        std::vector<double> parameters;  // natural units, in the order of parameters()
        double scale = 0.0;              // fitted scale of the residuals; 0 where it is fixed
        double objective = 0.0;
        Status status = Status::not_run;
        long starts = 0, hits = 0;  // hits ended within 1e-6 (relative) of the best objective
        long evaluations = 0;
        bool interrupted = false;
    };

    // Throws ModelError, naming the entry, when the text is not a model of a format that is known.
    static Model from_json(std::string_view text);

    const std::string& name() const { return name_; }
    const std::string& formula() const { return formula_; }
    const std::string& target() const { return target_; }
    const std::vector<ModelColumn>& columns() const { return columns_; }
    const std::vector<ModelParameter>& parameters() const { return parameters_; }
    // The values that the model came with, (parameters().size(),); empty if it came without.
    const std::vector<double>& values() const { return values_; }

    // out: (rows,), the law's value. parameters: in natural units.
    // Throws ModelError for a parameter that is not positive though it is fitted as its logarithm, and
    // for a row with a value that is not positive in a column that must be.
    void predict(const Table& table, const double* parameters, double* out) const;

    // Minimises the loss that the model names from quasi-random starts. target: (rows,).
    // The same bits for any number of threads. Throws ModelError for rows that cannot be used.
    Fit fit(const Table& table, const double* target, const FitOptions& options,
            Monitor& monitor) const;
    Fit fit(const Table& table, const double* target, const FitOptions& options) const;
    Fit fit(const Table& table, const double* target) const;

private:
    Model() = default;
    void check(const Table& table) const;

    std::string name_, formula_, target_;
    std::vector<ModelColumn> columns_;
    std::vector<ModelParameter> parameters_;
    std::vector<double> values_;
    std::shared_ptr<const Program> program_;  // gives the value in the space of the residuals
    Opcode space_ = Opcode::count_;           // log_, logit_, or count_ for the value itself
    kernels::LossSpec loss_;
    bool scale_is_fitted_ = false;
    double log_normaliser_ = 0.0;
};

}  // namespace lawfit
