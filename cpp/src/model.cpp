#include <lawfit/model/model.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <tuple>

#include <lawfit/random.hpp>
#include <lawfit/search/levels.hpp>
#include <lawfit/search/multistart.hpp>

namespace lawfit {

namespace {

using Json = nlohmann::json;

constexpr int format = 1;
constexpr std::size_t most_bytes = 16u << 20;  // far beyond any law; bounds memory
constexpr std::size_t most_names = 10'000;
constexpr long most_starts = 10'000'000;
constexpr int tournament = 8;  // points per start, of which the best is kept

[[noreturn]] void fail(const std::string& what) { throw ModelError("model: " + what); }

const Json& entry(const Json& object, const char* key) {
    if (!object.is_object()) fail(std::string("expected an object with \"") + key + "\"");
    const auto found = object.find(key);
    if (found == object.end()) fail(std::string("entry \"") + key + "\" is missing");
    return *found;
}

std::string text(const Json& object, const char* key) {
    const Json& value = entry(object, key);
    if (!value.is_string()) fail(std::string("\"") + key + "\" is not a text");
    return value.get<std::string>();
}

bool flag(const Json& object, const char* key) {
    const Json& value = entry(object, key);
    if (!value.is_boolean()) fail(std::string("\"") + key + "\" is not true or false");
    return value.get<bool>();
}

double number(const Json& value, const char* key) {
    if (!value.is_number()) fail(std::string("\"") + key + "\" is not a number");
    return value.get<double>();
}

const Json& list(const Json& object, const char* key) {
    const Json& value = entry(object, key);
    if (!value.is_array()) fail(std::string("\"") + key + "\" is not a list");
    if (value.size() > most_names) fail(std::string("\"") + key + "\" is too long");
    return value;
}

int index(const Json& value, const char* key) {
    if (!value.is_number_integer()) fail(std::string("\"") + key + "\" holds what is no integer");
    const auto i = value.get<std::int64_t>();
    if (i < -1 || i > std::numeric_limits<int>::max())
        fail(std::string("\"") + key + "\" holds an integer out of range");
    return static_cast<int>(i);
}

std::vector<Operation> operations(const Json& program, const char* key) {
    std::vector<Operation> out;
    for (const Json& operation : list(program, key)) {
        if (!operation.is_array() || operation.size() != 2 || !operation[0].is_string() ||
            !operation[1].is_array() || operation[1].size() > most_names)
            fail(std::string("\"") + key + "\" holds what is no operation");
        const auto name = operation[0].get<std::string>();
        const Opcode code = opcode_from_name(name);
        if (code == Opcode::count_) fail("there is no operation \"" + name + "\"");
        Operation read{code, {}};
        for (const Json& operand : operation[1]) read.operands.push_back(index(operand, key));
        out.push_back(std::move(read));
    }
    return out;
}

std::vector<std::string> names(const Json& object, const char* key) {
    std::vector<std::string> out;
    for (const Json& name : list(object, key)) {
        if (!name.is_string()) fail(std::string("\"") + key + "\" holds what is no name");
        out.push_back(name.get<std::string>());
    }
    return out;
}

// A pair of numbers, null standing for the infinity on its side.
std::pair<double, double> range(const Json& object, const char* key) {
    const Json& pair = list(object, key);
    if (pair.size() != 2) fail(std::string("\"") + key + "\" is not a pair");
    const double low = pair[0].is_null() ? -INFINITY : number(pair[0], key);
    const double high = pair[1].is_null() ? INFINITY : number(pair[1], key);
    if (!(low <= high)) fail(std::string("\"") + key + "\" leaves no value");
    return {low, high};
}

kernels::LossSpec loss_from(const Json& loss) {
    kernels::LossSpec spec;
    const std::string kind = text(loss, "kind");
    if (!loss_kind_from_name(kind, spec.kind)) fail("there is no loss kind \"" + kind + "\"");
    spec.above = number(entry(loss, "above"), "above");
    spec.below = number(entry(loss, "below"), "below");
    spec.core = number(entry(loss, "core"), "core");
    for (const double v : {spec.above, spec.below, spec.core})
        if (!(v >= 0.0 && std::isfinite(v))) fail("the loss has a negative setting");
    return spec;
}

std::string in_quotes(const std::string& name) { return "\"" + name + "\""; }

std::string in_row(long row, double value) {
    char buffer[64];
    std::snprintf(buffer, sizeof buffer, "row %ld: %g", row + 1, value);
    return buffer;
}

}  // namespace

Model Model::from_json(std::string_view json) {
    if (json.size() > most_bytes) fail("the text is longer than 16 MB");
    Json data;
    try {
        data = Json::parse(json);
    } catch (const Json::exception& error) {
        fail(std::string("not JSON: ") + error.what());
    }
    const Json& given = entry(data, "lawfit_model");
    if (!given.is_number_integer() || given.get<std::int64_t>() != format)
        fail("the format is not known; this library reads \"lawfit_model\": 1");

    Model model;
    model.name_ = text(data, "name");
    model.formula_ = text(data, "formula");
    model.target_ = text(data, "target");
    for (const Json& column : list(data, "columns"))
        model.columns_.push_back({text(column, "name"), flag(column, "positive")});
    for (const Json& parameter : list(data, "parameters")) {
        ModelParameter p;
        p.name = text(parameter, "name");
        p.log = flag(parameter, "log");
        std::tie(p.lower, p.upper) = range(parameter, "bounds");
        std::tie(p.start_low, p.start_high) = range(parameter, "start");
        if (!std::isfinite(p.start_low) || !std::isfinite(p.start_high))
            fail("the starts of " + in_quotes(p.name) + " have no ends");
        if (p.log && !(p.upper > 0.0)) fail("bounds of " + in_quotes(p.name) + " leave no value");
        if (p.log && !(p.start_low > 0.0))
            fail("starts of " + in_quotes(p.name) + " must be positive");
        model.parameters_.push_back(std::move(p));
    }
    const Json& values = entry(data, "values");
    if (!values.is_null()) {
        for (const Json& value : list(data, "values"))
            model.values_.push_back(number(value, "values"));
        if (model.values_.size() != model.parameters_.size())
            fail("\"values\" must hold one number per parameter");
    }

    const std::string residual = text(data, "residual");
    if (residual == "log")
        model.space_ = Opcode::log_;
    else if (residual == "logit")
        model.space_ = Opcode::logit_;
    else if (residual != "linear")
        fail("there is no space of residuals \"" + residual + "\"");
    model.loss_ = loss_from(entry(data, "loss"));
    model.log_normaliser_ = number(entry(entry(data, "loss"), "log_normaliser"), "log_normaliser");
    model.scale_is_fitted_ = flag(data, "fit_scale");

    const Json& program = entry(data, "program");
    Program::Parts parts;
    parts.columns = names(program, "columns");
    parts.parameters = names(program, "parameters");
    for (const Json& constant : list(program, "constants"))
        parts.constants.push_back(number(constant, "constants"));
    parts.data_operations = operations(program, "data_operations");
    parts.uniform_operations = operations(program, "uniform_operations");
    parts.row_operations = operations(program, "row_operations");
    parts.output = index(entry(program, "output"), "output");
    try {
        model.program_ = std::make_shared<const Program>(std::move(parts));
    } catch (const std::invalid_argument& error) {
        fail(error.what());
    }
    const auto agree = [](const auto& named, const std::vector<std::string>& names) {
        return std::equal(named.begin(), named.end(), names.begin(), names.end(),
                          [](const auto& a, const std::string& b) { return a.name == b; });
    };
    if (!agree(model.columns_, model.program_->columns()))
        fail("the columns of the program are others than those of the model");
    if (!agree(model.parameters_, model.program_->parameters()))
        fail("the parameters of the program are others than those of the model");
    return model;
}

void Model::check(const Table& table) const {
    if (table.rows < 1) throw ModelError("the table has no rows");
    if (table.rows > std::numeric_limits<int>::max() - 4096)
        throw ModelError("the table has more than 2^31 rows");
    for (std::size_t k = 0; k < columns_.size(); ++k) {
        const double* column = table.columns[k];
        if (!column) throw ModelError("column " + in_quotes(columns_[k].name) + " is missing");
        for (long i = 0; i < table.rows; ++i) {
            if (!std::isfinite(column[i]))
                throw ModelError("column " + in_quotes(columns_[k].name) + ", " +
                                 in_row(i, column[i]) + " is not finite");
            if (columns_[k].positive && !(column[i] > 0.0))
                throw ModelError("column " + in_quotes(columns_[k].name) + ", " +
                                 in_row(i, column[i]) + " is not above 0");
        }
    }
}

void Model::predict(const Table& table, const double* parameters, double* out) const {
    check(table);
    std::vector<double> x(parameters_.size());
    for (std::size_t k = 0; k < x.size(); ++k) {
        x[k] = parameters[k];
        if (!std::isfinite(x[k]) || (parameters_[k].log && !(x[k] >= 0.0)))
            throw ModelError("parameter " + in_quotes(parameters_[k].name) + " = " +
                             std::to_string(x[k]) +
                             (parameters_[k].log ? " must be 0 or more" : " must be finite"));
        if (parameters_[k].log) x[k] = std::log(x[k]);
    }
    const BoundColumns bound(*program_, {table.columns, table.columns + columns_.size()},
                             static_cast<int>(table.rows));
    Evaluator evaluator(*program_, bound);
    evaluator.set_parameters(x.data());
    long at = 0;
    for (int b = 0; b < evaluator.block_count(); ++b) {
        const double* z = evaluator.forward(b);
        for (int i = 0; i < evaluator.block_size(b) && at < table.rows; ++i, ++at) {
            if (space_ == Opcode::log_)
                out[at] = std::exp(z[i]);
            else if (space_ == Opcode::logit_)
                out[at] = 1.0 / (1.0 + std::exp(-z[i]));
            else
                out[at] = z[i];
        }
    }
}

Model::Fit Model::fit(const Table& table, const double* target) const {
    return fit(table, target, FitOptions());
}

Model::Fit Model::fit(const Table& table, const double* target, const FitOptions& options) const {
    Monitor monitor;
    return fit(table, target, options, monitor);
}

Model::Fit Model::fit(const Table& table, const double* target, const FitOptions& options,
                      Monitor& monitor) const {
    check(table);
    const auto p = static_cast<int>(parameters_.size());
    if (table.rows < p)
        throw ModelError(std::to_string(table.rows) + " rows are fewer than the " +
                         std::to_string(p) + " parameters");
    if (options.starts < 1 || options.starts > most_starts)
        throw ModelError("starts = " + std::to_string(options.starts) +
                         " must lie between 1 and 10000000");
    const auto require = [&](const double* values, const char* what, auto allowed,
                             const char* rule) {
        for (long i = 0; values && i < table.rows; ++i)
            if (!std::isfinite(values[i]) || !allowed(values[i]))
                throw ModelError(std::string(what) + ", " + in_row(i, values[i]) + " is not " +
                                 rule);
    };
    const auto positive = [](double v) { return v > 0.0; };
    if (space_ == Opcode::log_)
        require(target, "target", positive, "above 0, as its logarithm needs");
    else if (space_ == Opcode::logit_)
        require(target, "target", [](double v) { return v > 0.0 && v < 1.0; }, "in (0, 1)");
    else
        require(target, "target", [](double) { return true; }, "finite");
    require(options.weight, "weight", [](double v) { return v >= 0.0; }, "0 or more");
    require(options.sigma, "sigma", positive, "above 0");

    const int dimension = p + (scale_is_fitted_ ? 1 : 0);
    Objective::Bounds bounds{Vector::Constant(dimension, -INFINITY),
                             Vector::Constant(dimension, INFINITY), Vector::Ones(dimension)};
    Vector low(p), high(p);
    Parameterisation parameterisation;
    for (int k = 0; k < p; ++k) {
        const ModelParameter& q = parameters_[static_cast<std::size_t>(k)];
        const auto coordinate = [&q](double v) {
            return q.log ? (v > 0.0 ? std::log(v) : -INFINITY) : v;
        };
        bounds.lower[k] = coordinate(q.lower);
        bounds.upper[k] = coordinate(q.upper);
        low[k] = std::max(coordinate(q.start_low), bounds.lower[k]);
        high[k] = std::min(coordinate(q.start_high), bounds.upper[k]);
        if (low[k] > high[k])
            low[k] = high[k] = std::clamp(low[k], bounds.lower[k], bounds.upper[k]);
        const double largest = std::max(std::fabs(low[k]), std::fabs(high[k]));
        if (!q.log && largest > 0.0) bounds.typical[k] = largest;
        parameterisation.source.push_back(k);
        parameterisation.value.push_back(0.0);
    }
    parameterisation.free_count = p;
    if (scale_is_fitted_) {
        double largest = 0.0;
        for (long i = 0; i < table.rows; ++i) {
            const double y = target[i];
            const double z = space_ == Opcode::log_     ? std::log(y)
                             : space_ == Opcode::logit_ ? std::log(y) - std::log1p(-y)
                                                        : y;
            largest = std::max(largest, std::fabs(z));
        }
        // Far below any measurable residual; keeps an exact fit from running away.
        bounds.lower[p] = std::log(std::max(largest, 1e-300)) - 40.0;
    }
    Objective::Data data;
    data.columns.assign(table.columns, table.columns + columns_.size());
    data.target = target;
    data.weight = options.weight;
    data.sigma = options.sigma;
    data.rows = static_cast<int>(table.rows);
    data.target_transform = space_;
    const Objective objective(*program_, data, {loss_, scale_is_fitted_, log_normaliser_},
                              std::move(parameterisation), bounds);

    // An additive recurrence on the generalised golden ratio, shifted by the seed.
    double ratio = 2.0;
    for (int i = 0; i < 64; ++i) ratio = std::pow(1.0 + ratio, 1.0 / (p + 1));
    Philox random(options.seed, 0);
    Vector step(p), shift(p);
    for (int k = 0; k < p; ++k) {
        step[k] = std::pow(1.0 / ratio, k + 1);
        shift[k] = random.next() / 4294967296.0;
    }
    const long n = options.starts;
    std::vector<double> points(static_cast<std::size_t>(n * tournament * dimension), 0.0);
    for (long i = 0; i < n * tournament; ++i)
        for (int k = 0; k < p; ++k) {
            const double turn = shift[k] + static_cast<double>(i + 1) * step[k];
            points[static_cast<std::size_t>(i * dimension + k)] =
                low[k] + (turn - std::floor(turn)) * (high[k] - low[k]);
        }
    const std::vector<double> values =
        screen(objective, points.data(), n * tournament, options.threads, monitor);
    std::vector<double> starts;
    starts.reserve(static_cast<std::size_t>(n * dimension));
    for (long i = 0; i < n; ++i) {
        long best = i * tournament;
        for (long j = best; j < (i + 1) * tournament; ++j)
            if (values[static_cast<std::size_t>(j)] < values[static_cast<std::size_t>(best)] ||
                !std::isfinite(values[static_cast<std::size_t>(best)]))
                best = j;
        const auto* from = points.data() + best * dimension;
        starts.insert(starts.end(), from, from + dimension);
        if (scale_is_fitted_) starts.back() = NAN;  // set from the residuals at the start
    }

    const MultistartResult found =
        multistart(objective, starts.data(), n, options.solver, true, options.threads, monitor);
    Fit fit;
    fit.objective = INFINITY;
    fit.interrupted = found.interrupted;
    long best = -1, best_good = -1;
    const auto lower = [&](long i, long than) {
        return than < 0 || found.objective[static_cast<std::size_t>(i)] <
                               found.objective[static_cast<std::size_t>(than)];
    };
    for (long i = 0; i < n; ++i) {
        const auto at = static_cast<std::size_t>(i);
        const auto status = static_cast<Status>(found.status[at]);
        fit.evaluations += found.evaluations[at];
        if (status != Status::not_run) ++fit.starts;
        if (!std::isfinite(found.objective[at])) continue;
        if (lower(i, best)) best = i;
        if (succeeded(status) && lower(i, best_good)) best_good = i;
    }
    if (best < 0) {
        fit.status = Status::bad_start;
        return fit;
    }
    const double size = scale_is_fitted_ ? static_cast<double>(table.rows) : 0.0;
    const auto near = [&](double f, double share) {
        const double least = found.objective[static_cast<std::size_t>(best)];
        return f <= least + share * std::max(std::fabs(least), size);
    };
    // A start that ran out of evaluations a hair below a converged one is not preferred to it.
    if (best_good >= 0 && near(found.objective[static_cast<std::size_t>(best_good)], 1e-9))
        best = best_good;
    fit.objective = found.objective[static_cast<std::size_t>(best)];
    for (const double f : found.objective)
        if (near(f, 1e-6)) ++fit.hits;
    fit.status = static_cast<Status>(found.status[static_cast<std::size_t>(best)]);
    const double* x = found.x.data() + best * dimension;
    for (int k = 0; k < p; ++k)
        fit.parameters.push_back(parameters_[static_cast<std::size_t>(k)].log ? std::exp(x[k])
                                                                              : x[k]);
    if (scale_is_fitted_) fit.scale = std::exp(x[p]);
    return fit;
}

}  // namespace lawfit
