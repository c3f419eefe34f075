// Programs: what is refused, how they read, their values and their derivatives.
#include <functional>
#include <stdexcept>
#include <string>

#include <lawfit/expression/evaluator.hpp>

#include "check.hpp"
#include "problems.hpp"

using namespace problems;

namespace {

// What the program is refused with; empty if it is accepted.
std::string refusal(const std::function<void(Program::Parts&)>& spoil) {
    Program::Parts parts = chinchilla_parts();
    spoil(parts);
    try {
        const Program program(parts);
    } catch (const std::invalid_argument& error) {
        return error.what();
    }
    return "";
}

bool contains(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

void validation() {
    using Parts = Program::Parts;
    CHECK(refusal([](Parts&) {}).empty());
    CHECK(refusal([](Parts& p) { p.row_operations[0].operands[2] = 6; }) ==
          "program: row operation 0 (affine): operand 6 does not exist");
    CHECK(contains(refusal([](Parts& p) { p.data_operations[1].operands[2] = 4; }),
                   "data operation 1 (affine): operand 4 does not exist"));
    CHECK(contains(refusal([](Parts& p) { p.row_operations[2].operands[4] = -2; }), "operand -2"));
    CHECK(contains(refusal([](Parts& p) { p.row_operations[1].operands[1] = 6; }),
                   "row operation 1 (affine): uniform slot 6 does not exist"));
    CHECK(contains(refusal([](Parts& p) { p.uniform_operations = {{Opcode::exp_, {6}}}; }),
                   "uniform operation 0 (exp)"));

    const std::string count = "wrong number of operands";
    const std::vector<Operation> wrong = {
        {Opcode::exp_, {}},
        {Opcode::exp_, {0, 1}},
        {Opcode::mul_, {0}},
        {Opcode::pow_, {0, 1, 1}},
        {Opcode::where_, {0, 1}},
        {Opcode::affine_, {}},
        {Opcode::affine_, {-1, -1}},
        {Opcode::logsumexp_, {}},
        {Opcode::logsumexp_, {0}},
        {Opcode::logsumexp_, {-1, -1, 0}},
        {Opcode::logsumexp_, {2, -1, 0}},
        {Opcode::count_, {0}},
    };
    for (const Operation& operation : wrong)
        CHECK(contains(refusal([&](Parts& p) { p.row_operations.push_back(operation); }), count));

    CHECK(contains(refusal([](Parts& p) { p.output = -1; }), "output -1 does not exist"));
    CHECK(contains(refusal([](Parts& p) { p.output = 9; }), "output 9 does not exist"));
    CHECK(contains(refusal([](Parts& p) { p.data_operations[1].operands[1] = 0; }),
                   "a data operation reads a parameter"));
}

void names() {
    for (int i = 0; i < static_cast<int>(Opcode::count_); ++i)
        CHECK(opcode_from_name(opcode_name(static_cast<Opcode>(i))) == static_cast<Opcode>(i));
    CHECK(opcode_from_name("no such operation") == Opcode::count_);
}

void disassembly() {
    CHECK(Program(chinchilla_parts()).disassemble() ==
          "once per table:\n"
          "  d0 = log(N)\n"
          "  d1 = -1 * d0\n"
          "  d2 = log(D)\n"
          "  d3 = -1 * d2\n"
          "once per parameter vector:\n"
          "per row:\n"
          "  r0 = A + alpha * d1\n"
          "  r1 = B + beta * d3\n"
          "  r2 = logsumexp(exp(E), exp(r0), exp(r1))\n"
          "result: r2\n");
}

// d/d parameters of sum_i seed_i z_i.
std::vector<double> gradient(const Program& program, Evaluator& evaluator,
                             const std::vector<double>& at, const Buffer& seed) {
    const std::size_t parameters = at.size();
    std::vector<double> g(parameters, 0.0);
    evaluator.set_parameters(at.data());
    const double* chain = evaluator.leaf_jacobian();
    for (int b = 0; b < evaluator.block_count(); ++b) {
        const double* s = seed.data() + b * Evaluator::block_rows;
        evaluator.forward(b);
        const double* const* leaf = evaluator.reverse(b, s);
        for (std::size_t l = 0; l < program.leaves().size(); ++l)
            for (int i = 0; i < evaluator.block_size(b); ++i)
                for (std::size_t p = 0; p < parameters; ++p)
                    g[p] += leaf[l][i] * chain[l * parameters + p];
    }
    return g;
}

double weighted_sum(Evaluator& evaluator, const std::vector<double>& at, const Buffer& seed) {
    double total = 0.0;
    evaluator.set_parameters(at.data());
    for (int b = 0; b < evaluator.block_count(); ++b) {
        const double* z = evaluator.forward(b);
        for (int i = 0; i < evaluator.block_size(b); ++i)
            total += seed[static_cast<std::size_t>(b * Evaluator::block_rows + i)] * z[i];
    }
    return total;
}

void check_gradient(const Program::Parts& parts, const std::vector<const double*>& columns,
                    int rows, std::vector<double> at) {
    const Program program(parts);
    const BoundColumns bound(program, columns, rows);
    Evaluator evaluator(program, bound);
    Buffer seed(static_cast<std::size_t>(bound.padded()), 0.0);
    Philox random(2, 0);
    for (int i = 0; i < rows; ++i) seed[static_cast<std::size_t>(i)] = uniform(random) - 0.3;
    const std::vector<double> exact = gradient(program, evaluator, at, seed);
    for (std::size_t p = 0; p < at.size(); ++p) {
        const double middle = at[p], h = 1e-5;
        at[p] = middle + h;
        const double above = weighted_sum(evaluator, at, seed);
        at[p] = middle - h;
        const double below = weighted_sum(evaluator, at, seed);
        at[p] = middle;
        CHECK_CLOSE(exact[p], (above - below) / (2.0 * h), 2e-7);
    }
}

void chinchilla() {
    const int rows = 300;  // two blocks, the second one padded
    const Table table = chinchilla_table(rows, 0.0);
    const Program program(chinchilla_parts());
    const BoundColumns columns(program, table.columns(), rows);
    Evaluator evaluator(program, columns);
    CHECK(columns.padded() == 304);
    CHECK(evaluator.block_count() == 2 && evaluator.block_size(1) == 48);
    CHECK(program.leaves().size() == 5 && evaluator.leaves_are_parameters());
    evaluator.set_parameters(chinchilla_truth.data());
    double worst = 0.0;
    for (int b = 0; b < 2; ++b) {
        const double* z = evaluator.forward(b);
        for (int i = b * Evaluator::block_rows; i < std::min(rows, (b + 1) * Evaluator::block_rows);
             ++i)
            worst = std::max(worst, std::fabs(z[i - b * Evaluator::block_rows] -
                                              table.target[static_cast<std::size_t>(i)]));
    }
    CHECK(worst < 1e-13);
    check_gradient(chinchilla_parts(), table.columns(), rows, {0.4, 5.5, 8.0, 0.33, 0.4});
}

// Every operation once per row and once as a uniform one, where all of them are smooth.
void every_operation() {
    const std::vector<double> x = {0.05, 0.11, 0.17, 0.2, 0.26, 0.31, 0.38, 0.4, 0.45};
    const int rows = static_cast<int>(x.size());
    const auto program_with = [](const Operation& on_rows, const Operation& on_slots) {
        Program::Parts parts;
        parts.columns = {"x"};
        parts.parameters = {"a", "b", "c"};     // slots 0 .. 2
        parts.uniform_operations = {on_slots};  // slot 3
        parts.row_operations = {
            {Opcode::affine_, {0, 1, 0}},         // id 1: a + b x
            {Opcode::affine_, {2, 0, 0}},         // id 2: c + a x
            on_rows,                              // id 3
            {Opcode::affine_, {3, 2, 3, 3, 0}}};  // id 4: slot 3 + c id 3 + slot 3 x
        parts.output = 4;
        return parts;
    };
    const std::vector<double> at = {0.2, 0.5, 0.7};
    const auto check = [&](Opcode code, std::vector<int> row_operands,
                           std::vector<int> slot_operands) {
        check_gradient(
            program_with({code, std::move(row_operands)}, {code, std::move(slot_operands)}),
            {x.data()}, rows, at);
    };
    for (int i = 0; i < unary_count; ++i)
        if (static_cast<Opcode>(i) != Opcode::still_)  // whose derivative is zero on purpose
            check(static_cast<Opcode>(i), {1}, {0});
    for (int i = unary_count; i < unary_count + binary_count; ++i) {
        check(static_cast<Opcode>(i), {1, 2}, {0, 2});
        if (i == static_cast<int>(Opcode::mul_)) check(static_cast<Opcode>(i), {1, 1}, {0, 0});
    }
    check(Opcode::where_, {1, 2, 1}, {0, 1, 2});
    check(Opcode::affine_, {-1, 0, 1, -1, 2, 1, 1}, {1, 0, 2, -1, 1});
    check(Opcode::logsumexp_, {2, 0, 1, -1, 2, -1, 1, 2, 2}, {1, 0, 1, 2, 1});
    check(Opcode::logsumexp_, {0, 0, 1, 2, 2}, {2, 0, 1, -1, 2});
    check(Opcode::logsumexp_, {1, 0, -1, -1, 1}, {1, 0, -1, -1, 1});
}

}  // namespace

void run_tests() {
    validation();
    names();
    disassembly();
    for (int i = 0; kernels::available_builds[i]; ++i) {
        if (!kernels::select(kernels::available_builds[i]->name)) continue;
        chinchilla();
        every_operation();
    }
}
