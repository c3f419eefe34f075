// Fits E + sum_k A_k / x_k^alpha_k to log targets with Ceres from many starts, on all given threads.
//
// Standard input, numbers in text: mode iterations threads delta rows terms starts, then for every row
// log target, log x_1 .. log x_K, then the starts: log E, log A_1..K, alpha_1..K.
// mode 0: one residual block per row under ceres::HuberLoss. mode 1: one block of signed-root residuals.
// delta 0 means least squares.
// Standard output: "seconds cpu_seconds", then per start: termination iterations evaluations p...
#include <ceres/ceres.h>

#include <atomic>
#include <chrono>
#include <cmath>
#include <ctime>
#include <iostream>
#include <memory>
#include <thread>
#include <vector>

namespace {

struct Table {
    int rows = 0;
    int terms = 0;
    double delta = 0.0;
    std::vector<double> target;
    std::vector<double> log_x;  // rows x terms
};

// Residual of one row and, if wanted, its derivatives.
double residual(const Table& table, int row, const double* p, double* gradient) {
    const int k = table.terms;
    const double* x = &table.log_x[static_cast<size_t>(row) * k];
    double exponent[16];
    exponent[0] = p[0];
    double top = p[0];
    for (int i = 0; i < k; ++i) {
        exponent[i + 1] = p[1 + i] - p[1 + k + i] * x[i];
        top = std::max(top, exponent[i + 1]);
    }
    double total = 0.0;
    for (int i = 0; i <= k; ++i) total += exponent[i] = std::exp(exponent[i] - top);
    if (gradient) {
        for (int i = 0; i <= k; ++i) gradient[i] = exponent[i] / total;
        for (int i = 0; i < k; ++i) gradient[1 + k + i] = -gradient[1 + i] * x[i];
    }
    return top + std::log(total) - table.target[row];
}

class RowCost : public ceres::CostFunction {
public:
    RowCost(const Table& table, int row) : table_(table), row_(row) {
        set_num_residuals(1);
        mutable_parameter_block_sizes()->push_back(2 * table.terms + 1);
    }
    bool Evaluate(double const* const* p, double* r, double** jacobian) const override {
        r[0] = residual(table_, row_, p[0], jacobian ? jacobian[0] : nullptr);
        return true;
    }

private:
    const Table& table_;
    int row_;
};

class SignedRootCost : public ceres::CostFunction {
public:
    explicit SignedRootCost(const Table& table) : table_(table) {
        set_num_residuals(table.rows);
        mutable_parameter_block_sizes()->push_back(2 * table.terms + 1);
    }
    bool Evaluate(double const* const* p, double* r, double** jacobian) const override {
        const int n = 2 * table_.terms + 1;
        for (int i = 0; i < table_.rows; ++i) {
            double* g = jacobian && jacobian[0] ? jacobian[0] + static_cast<size_t>(i) * n : nullptr;
            const double u = residual(table_, i, p[0], g);
            const double size = std::abs(u);
            r[i] = u;
            if (table_.delta > 0.0 && size > table_.delta) {
                r[i] = std::copysign(std::sqrt(table_.delta * (2.0 * size - table_.delta)), u);
                const double slope = table_.delta / std::abs(r[i]);
                for (int j = 0; g && j < n; ++j) g[j] *= slope;
            }
        }
        return true;
    }

private:
    const Table& table_;
};

struct End {
    int termination = 0;
    int iterations = 0;
    int evaluations = 0;
};

End solve(const Table& table, int mode, int iterations, double* p) {
    ceres::Problem::Options ownership;
    ownership.loss_function_ownership = ceres::DO_NOT_TAKE_OWNERSHIP;
    std::unique_ptr<ceres::LossFunction> loss;
    if (mode == 0 && table.delta > 0.0) loss = std::make_unique<ceres::HuberLoss>(table.delta);
    ceres::Problem problem(ownership);
    if (mode == 0) {
        for (int i = 0; i < table.rows; ++i)
            problem.AddResidualBlock(new RowCost(table, i), loss.get(), p);
    } else {
        problem.AddResidualBlock(new SignedRootCost(table), nullptr, p);
    }
    ceres::Solver::Options options;
    options.linear_solver_type = ceres::DENSE_QR;
    options.num_threads = 1;
    options.logging_type = ceres::SILENT;
    if (iterations > 0) {  // 0: everything as Ceres ships it
        options.max_num_iterations = iterations;
        options.function_tolerance = 1e-15;
        options.gradient_tolerance = 1e-15;
        options.parameter_tolerance = 1e-12;
    }
    ceres::Solver::Summary summary;
    ceres::Solve(options, &problem, &summary);
    return {static_cast<int>(summary.termination_type), static_cast<int>(summary.iterations.size()),
            summary.num_residual_evaluations};
}

}  // namespace

int main() {
    std::ios::sync_with_stdio(false);
    Table table;
    int mode = 0, iterations = 0, threads = 1, starts = 0;
    std::cin >> mode >> iterations >> threads >> table.delta >> table.rows >> table.terms >> starts;
    table.target.resize(table.rows);
    table.log_x.resize(static_cast<size_t>(table.rows) * table.terms);
    for (int i = 0; i < table.rows; ++i) {
        std::cin >> table.target[i];
        for (int k = 0; k < table.terms; ++k) std::cin >> table.log_x[i * table.terms + k];
    }
    const int n = 2 * table.terms + 1;
    std::vector<double> points(static_cast<size_t>(starts) * n);
    for (double& value : points) std::cin >> value;
    if (!std::cin || table.terms > 15) return 1;

    std::vector<End> ends(starts);
    std::atomic<int> next{0};
    const auto begun = std::chrono::steady_clock::now();
    const std::clock_t cpu = std::clock();
    const auto work = [&] {
        for (int i = next++; i < starts; i = next++)
            ends[i] = solve(table, mode, iterations, &points[static_cast<size_t>(i) * n]);
    };
    std::vector<std::thread> team;
    for (int t = 1; t < threads; ++t) team.emplace_back(work);
    work();
    for (std::thread& member : team) member.join();
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begun;

    std::cout.precision(17);
    std::cout << seconds.count() << ' '
              << static_cast<double>(std::clock() - cpu) / CLOCKS_PER_SEC << '\n';
    for (int i = 0; i < starts; ++i) {
        std::cout << ends[i].termination << ' ' << ends[i].iterations << ' ' << ends[i].evaluations;
        for (int k = 0; k < n; ++k) std::cout << ' ' << points[static_cast<size_t>(i) * n + k];
        std::cout << '\n';
    }
}
