// One step over a box against brute force, and one solve to each way it can end.
#include <stdexcept>
#include <string>

#include <Eigen/LU>

#include <lawfit/solver/positive_definite.hpp>
#include <lawfit/solver/solver.hpp>

#include "check.hpp"
#include "problems.hpp"

using namespace problems;

namespace {

struct BoxProblem {
    Matrix B;
    Vector g, lower, upper;
    double model(const Vector& d) const { return g.dot(d) + 0.5 * d.dot(B * d); }
};

BoxProblem random_problem(Philox& random, int n) {
    BoxProblem p{Matrix(n, n), Vector(n), Vector(n), Vector(n)};
    Matrix root(n, n);
    for (int i = 0; i < n; ++i) {
        p.g[i] = normal(random);
        // Widths from nothing to none at all, so that many sets of active bounds occur.
        const auto width = [&] {
            const std::uint32_t kind = random.below(8);
            return kind == 0 ? 0.0 : (kind == 1 ? infinity : 2.0 * uniform(random));
        };
        p.lower[i] = -width();
        p.upper[i] = width();
        for (int j = 0; j < n; ++j) root(i, j) = normal(random);
    }
    p.B = root * root.transpose() + 0.05 * Matrix::Identity(n, n);
    return p;
}

// The least value of the model over every set of active bounds.
double brute_force(const BoxProblem& p) {
    const int n = static_cast<int>(p.g.size());
    int sets = 1;
    for (int i = 0; i < n; ++i) sets *= 3;
    double best = infinity;
    for (int set = 0; set < sets; ++set) {
        Matrix B = p.B;
        Vector right = -p.g;
        for (int i = 0, rest = set; i < n; ++i, rest /= 3) {
            if (rest % 3 == 0) continue;
            B.row(i).setZero();
            B(i, i) = 1.0;
            right[i] = rest % 3 == 1 ? p.lower[i] : p.upper[i];
        }
        const Vector d = B.partialPivLu().solve(right);
        const bool inside = d.allFinite() && (d.array() >= p.lower.array() - 1e-12).all() &&
                            (d.array() <= p.upper.array() + 1e-12).all();
        if (inside) best = std::min(best, p.model(d));
    }
    return best;
}

// The same matrix with its zeros left out: the steps are those of the full one.
void sparse_box_step() {
    Philox random(12, 0);
    int differ = 0, bound = 0;
    for (int trial = 0; trial < 300; ++trial) {
        const int n = 12 + trial % 60, shared = 1 + trial % 3;
        BoxProblem p = random_problem(random, n);
        p.B.setZero();
        std::vector<std::pair<int, int>> places;
        // Groups of three with a few shared ones: each row of the data sees one group.
        for (int row = 0; row < 6 * n; ++row) {
            std::vector<int> seen;
            const int group = static_cast<int>(random.below(static_cast<std::uint32_t>(n)));
            for (int k = 0; k < 3; ++k) seen.push_back((group / 3 * 3 + k) % n);
            for (int k = 0; k < shared; ++k) seen.push_back(k);
            Vector moved = Vector::Zero(n);
            for (const int i : seen) moved[i] += normal(random);
            p.B += moved * moved.transpose();
            for (const int i : seen)
                for (const int j : seen) places.emplace_back(i, j);
        }
        p.B += 0.05 * Matrix::Identity(n, n);
        SymmetricMatrix full(p.B);
        SymmetricMatrix sparse(std::make_shared<SymmetricPattern>(n, places));
        CHECK(!sparse.pattern()->is_full());
        for (int j = 0; j < n; ++j)
            for (int e = sparse.pattern()->begin(j); e < sparse.pattern()->begin(j + 1); ++e) {
                sparse.values()[e] = p.B(sparse.pattern()->row(e), j);
                CHECK(sparse.pattern()->find(j, sparse.pattern()->row(e)) == e);
            }
        Matrix back;
        sparse.to_full(back);
        CHECK(back == p.B);
        Vector d(n), e(n), moved(n);
        sparse.multiply(p.g, moved);
        CHECK((moved - p.B * p.g).norm() <= 1e-12 * (p.B * p.g).norm());
        BoxStep one(full.pattern()), other(sparse.pattern());
        CHECK(one.solve(full, p.g, p.lower, p.upper, d));
        CHECK(other.solve(sparse, p.g, p.lower, p.upper, e));
        if (!((d - e).norm() <= 1e-9 * (1.0 + d.norm()))) ++differ;
        if ((e.array() < p.lower.array()).any() || (e.array() > p.upper.array()).any()) ++differ;
        CHECK(one.bound_is_active() == other.bound_is_active());
        if (other.bound_is_active()) ++bound;
        const double form = one.inverse_form(p.g);
        if (!(std::fabs(other.inverse_form(p.g) - form) <= 1e-8 * (1e-3 + form))) ++differ;
        // Not positive definite.
        full.add_to_diagonal(-1e6, Vector::Ones(n));
        sparse.add_to_diagonal(-1e6, Vector::Ones(n));
        const Vector none = Vector::Constant(n, infinity);
        CHECK(!one.solve(full, p.g, -none, none, d));
        CHECK(!other.solve(sparse, p.g, -none, none, e));
    }
    CHECK(differ == 0);
    CHECK(bound > 100);
}

// Each of the sizes that have code of their own, and others; what is beyond n is not looked at.
void factors() {
    Philox random(13, 0);
    for (int n = 1; n <= 12; ++n)
        for (int trial = 0; trial < 5; ++trial) {
            const Matrix A = random_problem(random, n).B;
            Matrix factor = Matrix::Constant(n + 2, n + 2, NAN);
            Vector right = Vector::Constant(n + 2, NAN), known(n);
            for (int i = 0; i < n; ++i) known[i] = normal(random);
            factor.topLeftCorner(n, n).triangularView<Eigen::Lower>() = A;
            const Vector product = A * known;
            const double close = 1e-9 * (1.0 + product.norm());
            right.head(n) = product;
            CHECK(solve_positive_definite(factor, right, n));
            CHECK((right.head(n) - known).norm() <= close);
            right.head(n) = product;
            solve_factored(factor, n, right.data());
            CHECK((right.head(n) - known).norm() <= close);
            right.head(n) = product;
            CHECK_CLOSE(inverse_form(factor, n, right.data()), product.dot(known), close);
            CHECK(std::isnan(right[n]));
        }
    Matrix zero = Matrix::Zero(2, 2);
    Vector right = Vector::Ones(2);
    CHECK(!solve_positive_definite(zero, right, 2));
}

void box_step() {
    Philox random(11, 0);
    int wrong_value = 0, outside = 0, wrong_slope = 0, wrong_form = 0, wrong_flag = 0, refused = 0;
    for (int trial = 0; trial < 3000; ++trial) {
        const int n = trial % 10 == 0 ? 20 : 1 + trial % 5;
        const BoxProblem p = random_problem(random, n);
        const SymmetricMatrix B(p.B);
        BoxStep step(B.pattern());
        Vector d(n);
        if (!step.solve(B, p.g, p.lower, p.upper, d)) {
            ++refused;
            continue;
        }
        const double scale = 1.0 + p.g.cwiseAbs().maxCoeff() + p.B.cwiseAbs().maxCoeff();
        if (n <= 5 && !(std::fabs(p.model(d) - brute_force(p)) <= 1e-10 * scale)) ++wrong_value;
        if ((d.array() < p.lower.array()).any() || (d.array() > p.upper.array()).any()) ++outside;
        // Karush, Kuhn, Tucker: no slope inside, and none that would lead back inside from a bound.
        const Vector slope = p.g + p.B * d;
        std::vector<int> free;
        for (int i = 0; i < n; ++i) {
            const bool at_lower = d[i] == p.lower[i], at_upper = d[i] == p.upper[i];
            if (!at_lower && !at_upper) free.push_back(i);
            if ((!at_lower && slope[i] > 1e-9 * scale) || (!at_upper && slope[i] < -1e-9 * scale))
                ++wrong_slope;
        }
        const int free_count = static_cast<int>(free.size());
        if (step.bound_is_active() != (free_count < n)) ++wrong_flag;
        if (free_count == 0) continue;
        const Matrix inverse = Matrix(p.B(free, free)).inverse();
        const Vector v = p.g(free);
        if (!(std::fabs(step.inverse_form(p.g) / v.dot(inverse * v) - 1.0) < 1e-8)) ++wrong_form;
    }
    CHECK(refused == 0);
    CHECK(wrong_value == 0);
    CHECK(outside == 0);
    CHECK(wrong_slope == 0);
    CHECK(wrong_flag == 0);
    CHECK(wrong_form == 0);

    BoxStep step(std::make_shared<SymmetricPattern>(2));
    Vector d(2);
    const Vector none = Vector::Constant(2, infinity);
    const Vector g = Vector::Ones(2);
    CHECK(!step.solve(SymmetricMatrix(-Matrix::Identity(2, 2)), g, -none, none, d));
    // Indefinite, but not in the coordinate that is free.
    Matrix B(2, 2);
    B << 2.0, 0.0, 0.0, -1.0;
    Vector lower = -none;
    lower[1] = 0.0;
    CHECK(step.solve(SymmetricMatrix(B), g, lower, none, d));
    CHECK_CLOSE(d[0], -0.5, 1e-15);
    CHECK(d[1] == 0.0);
    // Also when what is held has been let go: then it is the whole matrix that counts.
    B << 1.0, 3.0, 3.0, 1.0;
    CHECK(!step.solve(SymmetricMatrix(B), g, lower, none, d));

    // As many bounds as it takes, one after the other.
    const int n = 60;
    BoxStep many(std::make_shared<SymmetricPattern>(n));
    Vector upper(n), found(n);
    for (int i = 0; i < n; ++i) upper[i] = 1.0 + i;
    CHECK(many.solve(SymmetricMatrix(Matrix::Identity(n, n)), Vector::Constant(n, -100.0),
                     -Vector::Constant(n, infinity), upper, found));
    CHECK(found == upper);
}

Solution solve(const Objective& objective, const Vector& start, const SolverOptions& options = {},
               Interrupt* interrupt = nullptr) {
    ObjectiveEvaluator evaluator(objective);
    Solver solver(evaluator, options);
    Solution solution;
    solver.solve(start, solution, interrupt);
    return solution;
}

Vector pair(double a, double b) {
    Vector v(2);
    v << a, b;
    return v;
}

void rosenbrock() {
    const Objective objective = rosenbrock_objective();
    for (const Vector& start : {pair(-1.2, 1.0), pair(3.0, -4.0), pair(0.0, 0.0)}) {
        const Solution s = solve(objective, start);
        CHECK(s.status == Status::converged);
        CHECK_CLOSE(s.x[0], 1.0, 1e-8);
        CHECK_CLOSE(s.x[1], 1.0, 1e-8);
        CHECK_CLOSE(s.objective, 0.125, 1e-15);
        CHECK(s.evaluations > 0 && s.evaluations < 500);
    }
}

// z = a + b x with b held back by a bound: a is then the mean of y - b x.
void bounded_line() {
    Program::Parts parts;
    parts.columns = {"x"};
    parts.parameters = {"a", "b"};
    parts.row_operations = {{Opcode::affine_, {0, 1, 0}}};
    parts.output = 1;
    const std::vector<double> x = {0.0, 1.0, 2.0, 3.0}, y = {0.1, 1.9, 4.2, 5.8};
    Objective::Bounds bounds = no_bounds(2);
    bounds.upper[1] = 1.5;
    const Objective objective = objective_of(Program(parts), {x.data()}, y, {}, bounds);
    for (const Vector& start : {pair(0.0, 0.0), pair(5.0, 1.5), pair(0.0, 9.0)}) {
        const Solution s = solve(objective, start);
        CHECK(s.status == Status::at_bound);
        CHECK(s.x[1] == 1.5);
        CHECK_CLOSE(s.x[0], 3.0 - 1.5 * 1.5, 1e-12);
    }
}

void exact_fit() {
    const Table table = chinchilla_table(60, 0.0);
    for (const LossSpec& loss : {LossSpec{}, huber(1e-3)}) {
        const Objective objective = chinchilla_objective(table, loss);
        const Solution s = solve(objective, chinchilla_start(5));
        CHECK(s.status == Status::exact);
        for (int k = 0; k < 5; ++k)
            CHECK_CLOSE(s.x[k], chinchilla_truth[static_cast<std::size_t>(k)], 1e-6);
    }
}

// The gradient vanishes at the minimum of every loss, with the scale held or fitted.
void stationary() {
    const Table table = chinchilla_table(400, 0.01);
    const LossSpec losses[] = {LossSpec{},
                               huber(1e-3),
                               {LossKind::cauchy, 1.0, 1.0, 1e-2},
                               {LossKind::logcosh, 1.0, 1.0, 1e-2}};
    for (const LossSpec& loss : losses)
        for (const bool scale_is_fitted : {false, true}) {
            if (scale_is_fitted && loss.kind == LossKind::cauchy)
                continue;  // no minimum at core 0.01
            const Objective objective = chinchilla_objective(table, loss, scale_is_fitted);
            const Solution s = solve(objective, chinchilla_start(objective.dimension()));
            CHECK(s.status == Status::converged);
            ObjectiveEvaluator evaluator(objective);
            Vector gradient;
            SymmetricMatrix bend(objective.pattern()), curvature(objective.pattern());
            CHECK(evaluator.value(s.x) == s.objective);
            evaluator.derivatives(gradient, &bend, &curvature);
            // Against what one standard error of each parameter would make of it.
            double steepest = 0.0;
            for (int i = 0; i < bend.dimension(); ++i)
                steepest = std::max(steepest, std::fabs(gradient[i]) / std::sqrt(bend.diagonal(i)));
            CHECK(steepest < 1e-6 * std::sqrt(std::fabs(s.objective)));
        }
}

// The exact Hessian is the derivative of the gradient.
void hessian() {
    const Table table = chinchilla_table(300, 0.01);
    const Objective objectives[] = {
        chinchilla_objective(table, LossSpec{}), chinchilla_objective(table, LossSpec{}, true),
        chinchilla_objective(table, {LossKind::cauchy, 1.0, 1.0, 0.01}), rosenbrock_objective()};
    for (const Objective& objective : objectives) {
        const int p = objective.dimension();
        ObjectiveEvaluator evaluator(objective);
        Vector x = Vector::Constant(p, 0.3), above(p), below(p);
        if (p >= 5) x.head(5) << 0.55, 6.3, 7.6, 0.34, 0.38;
        SymmetricMatrix first(objective.pattern()), second(objective.pattern());
        evaluator.value(x);
        evaluator.derivatives(above, nullptr, &first);
        evaluator.second_order(second);
        first += second;
        Matrix exact;
        first.to_full(exact);
        const double scale = exact.cwiseAbs().maxCoeff();
        for (int j = 0; j < p; ++j) {
            const double middle = x[j], h = 2e-6;
            x[j] = middle + h;
            evaluator.value(x);
            evaluator.derivatives(above, nullptr, nullptr);
            x[j] = middle - h;
            evaluator.value(x);
            evaluator.derivatives(below, nullptr, nullptr);
            x[j] = middle;
            const Vector difference = (above - below) / (2.0 * h);
            CHECK((difference - exact.col(j)).cwiseAbs().maxCoeff() < 1e-6 * scale);
        }
    }
}

void bad_start() {
    const Table table = chinchilla_table(60, 0.01);
    const Objective objective = chinchilla_objective(table, huber(1e-3));
    Vector start = chinchilla_start(5);
    start[3] = NAN;
    const Solution s = solve(objective, start);
    CHECK(s.status == Status::bad_start);
    CHECK(s.objective == infinity);
    CHECK(!succeeded(s.status));
}

void evaluation_limit() {
    const Table table = chinchilla_table(60, 0.01);
    const Objective objective = chinchilla_objective(table, huber(1e-3));
    const int needed = solve(objective, chinchilla_start(5)).evaluations;
    for (const int limit : {1, 5, 20}) {
        SolverOptions options;
        options.max_evaluations = limit;
        const Solution s = solve(objective, chinchilla_start(5), options);
        CHECK(limit < needed);
        CHECK(s.status == Status::evaluation_limit);
        // What was under way is finished: a step, a change of loss.
        CHECK(s.evaluations <= limit + 5);
        CHECK(std::isfinite(s.objective));
    }
}

class AfterRequests final : public Interrupt {
public:
    explicit AfterRequests(int k) : left_(k) {}
    bool requested() override {
        ++asked;
        return --left_ <= 0;
    }
    int asked = 0;

private:
    int left_;
};

void interrupt() {
    const Table table = chinchilla_table(60, 0.01);
    const Objective objective = chinchilla_objective(table, huber(1e-3));
    double previous = infinity;
    for (const int k : {1, 3, 10}) {
        AfterRequests after(k);
        const Solution s = solve(objective, chinchilla_start(5), {}, &after);
        CHECK(s.status == Status::interrupted);
        CHECK(after.asked == k);
        CHECK(s.objective <= previous);
        previous = s.objective;
    }
}

void options() {
    const auto refusal = [](auto change) -> std::string {
        SolverOptions o;
        change(o);
        try {
            o.check();
        } catch (const std::invalid_argument& error) {
            return error.what();
        }
        return "";
    };
    CHECK(refusal([](SolverOptions&) {}).empty());
    CHECK(refusal([](SolverOptions& o) { o.tolerance = 0.0; }).find("tolerance") !=
          std::string::npos);
    CHECK(refusal([](SolverOptions& o) { o.tolerance = NAN; }).find("tolerance") !=
          std::string::npos);
    CHECK(refusal([](SolverOptions& o) { o.max_evaluations = 0; }).find("max_evaluations = 0") !=
          std::string::npos);
    CHECK(refusal([](SolverOptions& o) { o.initial_radius = -1.0; }).find("initial_radius") !=
          std::string::npos);
}

}  // namespace

void run_tests() {
    factors();
    box_step();
    sparse_box_step();
    rosenbrock();
    bounded_line();
    exact_fit();
    stationary();
    hessian();
    bad_start();
    evaluation_limit();
    interrupt();
    options();
}
