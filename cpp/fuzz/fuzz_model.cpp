// Any bytes as a model through the C interface: loaded, asked for names, evaluated and fitted. Most
// inputs are models of which entries were changed.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <random>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include <lawfit/lawfit.h>

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t most);

namespace {

using Json = nlohmann::json;
using Random = std::minstd_rand;

std::size_t below(Random& random, std::size_t count) { return random() / 7 % count; }

void collect(Json& tree, std::vector<Json*>& places) {
    for (Json& entry : tree) {
        places.push_back(&entry);
        if (entry.is_structured()) collect(entry, places);
    }
}

// Changes one entry of the tree: another value, a copy of another entry, a neighbour less or more.
void damage(Json& tree, Random& random) {
    static const std::vector<Json> entries = {nullptr,
                                              true,
                                              0,
                                              1,
                                              -1,
                                              2,
                                              3,
                                              63,
                                              65,
                                              1e9,
                                              1LL << 31,
                                              -(1LL << 31),
                                              1e308,
                                              -1e308,
                                              0.5,
                                              -0.5,
                                              5e-324,
                                              18446744073709551615ULL,
                                              "",
                                              "N",
                                              "log",
                                              "E",
                                              Json::array(),
                                              Json::object(),
                                              Json::array({0}),
                                              Json::array({1.0, 0.0})};
    std::vector<Json*> places;
    collect(tree, places);
    if (places.empty()) return;
    Json& place = *places[below(random, places.size())];
    const Json& other = *places[below(random, places.size())];
    switch (below(random, 6)) {
        case 0: place = entries[below(random, entries.size())]; break;
        case 1: place = Json(other); break;
        case 2:
            if (place.is_number_integer() && std::llabs(place.get<long long>()) < 1000000)
                place = place.get<long long>() + static_cast<long long>(below(random, 7)) - 3;
            break;
        case 3:
            if (place.is_array() && !place.empty()) place.erase(below(random, place.size()));
            if (place.is_object() && !place.empty())
                place.erase(std::next(place.begin(),
                                      static_cast<std::ptrdiff_t>(below(random, place.size()))));
            break;
        case 4:
            if (place.is_array()) place.push_back(Json(other));
            break;
        default:
            if (place.is_number() && std::abs(place.get<double>()) < 1e300)
                place = place.get<double>() * (below(random, 2) ? -1.0 : 1e10);
    }
}

constexpr std::int64_t rows = 12;
constexpr double most_seconds = 1.0;  // of CPU time, which other processes do not change
constexpr std::int32_t most = 64;     // larger programs are loaded and evaluated, but not fitted

void require(bool holds) {
    if (!holds) std::abort();
}

}  // namespace

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size,
                                               std::size_t most_bytes, unsigned seed) {
    Random random(seed);
    Json tree = Json::parse(data, data + size, nullptr, false);
    if (tree.is_discarded() || below(random, 10) == 0)
        return LLVMFuzzerMutate(data, size, most_bytes);
    for (std::size_t k = 0; k <= below(random, 3); ++k) damage(tree, random);
    const std::string text = tree.dump(-1, ' ', false, Json::error_handler_t::replace);
    if (text.size() > most_bytes) return LLVMFuzzerMutate(data, size, most_bytes);
    std::memcpy(data, text.data(), text.size());
    return text.size();
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
    const std::clock_t start = std::clock();
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
    require(static_cast<double>(std::clock() - start) < most_seconds * CLOCKS_PER_SEC);
    return 0;
}
