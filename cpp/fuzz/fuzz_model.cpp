// Any bytes as a model through the C interface: loaded, asked for names, evaluated and fitted.
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <vector>

#include <lawfit/lawfit.h>

namespace {

constexpr std::int64_t rows = 12;
constexpr std::int32_t most = 64;  // larger programs are loaded and evaluated, but not fitted

void require(bool holds) {
    if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
    lawfit_model* model = lawfit_model_load(reinterpret_cast<const char*>(bytes), size);
    if (!model) {
        require(lawfit_error_message()[0] != '\0');
        return 0;
    }
    const std::int32_t columns = lawfit_model_column_count(model);
    const std::int32_t count = lawfit_model_parameter_count(model);
    require(columns >= 0 && count >= 0);
    for (std::int32_t k = -1; k <= columns; ++k)
        require((lawfit_model_column(model, k) != nullptr) == (k >= 0 && k < columns));
    for (std::int32_t k = -1; k <= count; ++k)
        require((lawfit_model_parameter(model, k) != nullptr) == (k >= 0 && k < count));
    require(lawfit_model_formula(model) != nullptr);

    std::vector<std::vector<double>> table(static_cast<std::size_t>(columns));
    std::vector<const double*> pointers;
    for (std::size_t k = 0; k < table.size(); ++k) {
        for (std::int64_t i = 0; i < rows; ++i)
            table[k].push_back(
                std::pow(10.0, static_cast<double>((i * 7 + 3 * static_cast<int>(k)) % 11)));
        pointers.push_back(table[k].data());
    }
    std::vector<double> values(static_cast<std::size_t>(count) + 1, 0.5);
    lawfit_model_values(model, values.data());
    std::vector<double> out(rows), target(rows);
    for (std::int64_t i = 0; i < rows; ++i)
        target[static_cast<std::size_t>(i)] = 0.1 + 0.05 * static_cast<double>(i);
    const auto predicted =
        lawfit_model_predict(model, pointers.data(), rows, values.data(), out.data());
    require(predicted == LAWFIT_OK || predicted == LAWFIT_BAD_INPUT);
    if (count <= most) {
        lawfit_fit_options options = {2, 1, 1, nullptr, nullptr};
        lawfit_fit_summary summary;
        const auto fitted = lawfit_model_fit(model, pointers.data(), target.data(), rows, &options,
                                             values.data(), &summary);
        require(fitted == LAWFIT_OK || fitted == LAWFIT_FIT_FAILED || fitted == LAWFIT_BAD_INPUT);
    }
    lawfit_model_free(model);
    return 0;
}
