// Sums over rows: the same bits for any number of threads, and segments as objectives of their own.
#include <lawfit/objective/objective_evaluator.hpp>

#include <stdexcept>

#include "check.hpp"
#include "problems.hpp"

using namespace problems;

namespace {

struct Sums {
    double value;
    Vector gradient;
    Matrix bend, curvature, second;
    bool operator==(const Sums& o) const {
        return value == o.value && gradient == o.gradient && bend == o.bend &&
               curvature == o.curvature && second == o.second;
    }
};

Sums sums(const Objective& objective, const Vector& x, int threads = 1,
          const double* weight = nullptr) {
    ObjectiveEvaluator evaluator(objective, threads);
    if (weight) evaluator.set_weight(weight);
    SymmetricMatrix bend(objective.pattern()), curvature(objective.pattern()),
        second(objective.pattern());
    Sums s;
    s.value = evaluator.value(x);
    evaluator.derivatives(s.gradient, &bend, &curvature);
    evaluator.second_order(second);
    bend.to_full(s.bend);
    curvature.to_full(s.curvature);
    second.to_full(s.second);
    return s;
}

// In one call as in two, whether or not the rows have factors of their own.
void hessian() {
    const Table table = chinchilla_table(600, 0.01);
    const std::vector<double> ones(600, 1.0), sigma(600, 0.5);
    for (const double* factor : {static_cast<const double*>(nullptr), ones.data(), sigma.data()})
        for (const bool scale : {false, true}) {
            Objective::Data data;
            data.columns = table.columns();
            data.target = table.target.data();
            data.sigma = factor;
            data.rows = 600;
            const int dimension = scale ? 6 : 5;
            const Objective objective(Program(chinchilla_parts()), data, {huber(1e-3), scale, 0.7},
                                      all_free(5), no_bounds(dimension));
            Vector x = chinchilla_start(dimension);
            if (scale) x[5] = -4.0;
            const Sums parts = sums(objective, x);
            ObjectiveEvaluator evaluator(objective);
            SymmetricMatrix whole(objective.pattern()), scratch(objective.pattern());
            Vector gradient;
            Matrix full;
            evaluator.value(x);
            evaluator.hessian(gradient, whole, scratch);
            whole.to_full(full);
            const Matrix expected = parts.curvature + parts.second;
            CHECK(gradient.isApprox(parts.gradient, 1e-12));
            CHECK(full.isApprox(expected, 1e-10));
            CHECK(!full.isApprox(parts.curvature, 1e-3));
        }
}

void threads() {
    for (const int rows : {4096, 4097, 30001})
        for (const bool scale : {false, true}) {
            const Objective objective =
                chinchilla_objective(chinchilla_table(rows, 0.01), huber(1e-3), scale);
            Vector x = chinchilla_start(objective.dimension());
            if (scale) x[5] = -4.0;
            const Sums one = sums(objective, x);
            for (const int count : {2, 3, 8}) CHECK(sums(objective, x, count) == one);
        }
}

class Stop final : public Interrupt {
public:
    bool requested() override { return true; }
};

void interrupt() {
    const Objective objective = chinchilla_objective(chinchilla_table(2000000, 0.01), huber(1e-3));
    Stop stop;
    ObjectiveEvaluator evaluator(objective, 1, &stop);
    const Vector x = chinchilla_start(5);
    // Rows are left before the end once the interrupt has been asked.
    CHECK(evaluator.value(x) == infinity);
    CHECK(std::isfinite(ObjectiveEvaluator(objective).value(x)));
}

// Groups of rows with parameters of their own, mixed in the table, against one objective each.
void segments(int groups) {
    const Program program{chinchilla_parts()};
    const int rows = 40 * groups;
    const Table table = chinchilla_table(rows, 0.01);
    Objective::Data data;
    data.columns = table.columns();
    data.target = table.target.data();
    data.rows = rows;
    Parameterisation p;
    p.free_count = 3 * groups + 2;  // E, A, B by group; the exponents are shared
    std::vector<Table> parts(static_cast<std::size_t>(groups));
    for (int s = 0; s < groups; ++s) {
        int count = 0;
        for (int i = 0; i < rows; ++i) {
            if ((i * 7 + i / groups) % groups != s) continue;
            const auto k = static_cast<std::size_t>(i);
            data.order.push_back(i);
            Table& part = parts[static_cast<std::size_t>(s)];
            part.N.push_back(table.N[k]);
            part.D.push_back(table.D[k]);
            part.target.push_back(table.target[k]);
            ++count;
        }
        data.segment_rows.push_back(count);
        for (int k = 0; k < 3; ++k) p.source.push_back(3 * s + k);
        p.source.push_back(3 * groups);
        p.source.push_back(3 * groups + 1);
        p.value.insert(p.value.end(), 5, 0.0);
    }
    const Objective objective(program, data, {huber(1e-3), true, 0.7}, p,
                              no_bounds(p.free_count + 1));
    CHECK(objective.pattern()->is_full() == (p.free_count + 1 <= 64));
    Philox random(5, 0);
    Vector x(objective.dimension());
    for (int i = 0; i < x.size(); ++i) x[i] = 0.3 * normal(random);
    x[x.size() - 1] = -4.0;
    Buffer weight(static_cast<std::size_t>(objective.layout().padded()), 0.0);
    for (int i = 0; i < rows; ++i)
        weight[static_cast<std::size_t>(objective.layout().place(i))] = 1.0 + i % 3;

    for (const bool weighted : {false, true}) {
        const Sums whole = sums(objective, x, 1, weighted ? weight.data() : nullptr);
        CHECK(sums(objective, x, 2, weighted ? weight.data() : nullptr) == whole);
        const int n = objective.dimension();
        Sums total{0.0, Vector::Zero(n), Matrix::Zero(n, n), Matrix::Zero(n, n),
                   Matrix::Zero(n, n)};
        int first = 0;
        for (int s = 0; s < groups; ++s) {
            const Table& part = parts[static_cast<std::size_t>(s)];
            const Objective one = chinchilla_objective(part, huber(1e-3), true);
            std::vector<int> at = {3 * s, 3 * s + 1, 3 * s + 2, n - 3, n - 2, n - 1};
            Vector local(6);
            for (int k = 0; k < 6; ++k) local[k] = x[at[static_cast<std::size_t>(k)]];
            Buffer w(static_cast<std::size_t>(one.layout().padded()), 0.0);
            for (int i = 0; i < part.rows(); ++i)
                w[static_cast<std::size_t>(i)] =
                    1.0 + data.order[static_cast<std::size_t>(first + i)] % 3;
            first += part.rows();
            const Sums sum = sums(one, local, 1, weighted ? w.data() : nullptr);
            total.value += sum.value;
            for (int k = 0; k < 6; ++k) {
                const int i = at[static_cast<std::size_t>(k)];
                total.gradient[i] += sum.gradient[k];
                for (int l = 0; l < 6; ++l) {
                    const int j = at[static_cast<std::size_t>(l)];
                    total.bend(i, j) += sum.bend(k, l);
                    total.curvature(i, j) += sum.curvature(k, l);
                    total.second(i, j) += sum.second(k, l);
                }
            }
        }
        const auto close = [](const Matrix& a, const Matrix& b) {
            return (a - b).cwiseAbs().maxCoeff() <= 1e-12 * b.cwiseAbs().maxCoeff();
        };
        CHECK_CLOSE(whole.value / total.value, 1.0, 1e-13);
        CHECK(close(whole.gradient, total.gradient));
        CHECK(close(whole.bend, total.bend));
        CHECK(close(whole.curvature, total.curvature));
        CHECK(close(whole.second, total.second));
    }

    // A group without weight: its own coordinates, and no others, are held by unit curvature.
    const RowLayout& layout = objective.layout();
    for (const RowLayout::Block& block : layout.blocks())
        if (block.segment == 1) std::fill_n(weight.begin() + block.begin, block.size, 0.0);
    ObjectiveEvaluator evaluator(objective);
    CHECK(evaluator.weightless().empty());
    evaluator.set_weight(weight.data());
    CHECK(evaluator.weightless() == std::vector<int>({3, 4, 5}));
    const Sums without = sums(objective, x, 1, weight.data());
    for (int i = 3; i < 6; ++i) {
        CHECK(without.gradient[i] == 0.0);
        CHECK(without.bend(i, i) == 1.0);
        CHECK(without.curvature(i, i) == 1.0);
        CHECK(without.second.row(i).isZero(0.0));
    }
}

void wrong_layouts() {
    const auto refused = [](std::vector<int> order, const std::vector<int>& rows) {
        try {
            RowLayout layout(std::move(order), rows);
        } catch (const std::invalid_argument&) {
            return true;
        }
        return false;
    };
    CHECK(!refused({1, 0, 2}, {1, 2}));
    CHECK(refused({1, 0, 2}, {1, 1}));
    CHECK(refused({1, 0, 2}, {1, 3}));
    CHECK(refused({1, 0, 2}, {3, 0}));
    CHECK(refused({1, 1, 2}, {3}));
    CHECK(refused({1, 0, 3}, {3}));
}

}  // namespace

void run_tests() {
    hessian();
    threads();
    interrupt();
    segments(5);
    segments(40);
    wrong_layouts();
}
