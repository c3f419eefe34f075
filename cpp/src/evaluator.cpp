#include <lawfit/expression/evaluator.hpp>

#include <algorithm>
#include <cmath>

#include "index.hpp"
#include "run_operation.hpp"

namespace lawfit {
namespace {

// Whether an operation can pass back exactly nothing: to the branch not taken, to a condition.
bool stops_adjoints(Opcode code) {
    switch (code) {
        case Opcode::where_:
        case Opcode::min_:
        case Opcode::max_:
        case Opcode::lt_:
        case Opcode::le_:
        case Opcode::eq_:
        case Opcode::ne_: return true;
        default: return false;
    }
}

}  // namespace

Evaluator::Evaluator(const Program& program, const BoundColumns& columns)
    : program_(program), columns_(columns), stride_(columns.layout().largest_block()) {
    const int operations = static_cast<int>(program.row_operations().size());
    const int leaves = static_cast<int>(program.leaves().size());
    slots_.assign(index(program.slot_count()), 0.0);
    std::copy(program.constants().begin(), program.constants().end(),
              slots_.begin() + program.parameter_count());
    slot_tangents_.assign(index(program.slot_count() * program.parameter_count()), 0.0);
    for (int p = 0; p < program.parameter_count(); ++p)
        slot_tangents_[index(p * program.parameter_count() + p)] = 1.0;
    leaf_jacobian_.assign(index(leaves * program.parameter_count()), 0.0);
    leaves_are_parameters_ = std::all_of(program.leaves().begin(), program.leaves().end(),
                                         [&](int s) { return s < program.parameter_count(); });

    int shares = 0;
    guarded_ = !columns.finite() ||
               std::any_of(program.row_operations().begin(), program.row_operations().end(),
                           [](const Operation& op) { return stops_adjoints(op.code); });
    std::size_t operands = 0;
    for (const Operation& op : program.row_operations()) {
        share_offset_.push_back(shares);
        shares += share_columns(op);
        operands = std::max(operands, op.operands.size());
    }
    coefficients_.reserve(operands);
    pointers_.reserve(operands);
    share_pointers_.reserve(operands);
    const auto sized = [&](int columns_needed) { return index(columns_needed * stride_); };
    registers_.resize(sized(operations));
    adjoints_.resize(sized(operations));
    shares_.resize(sized(shares));
    leaf_columns_.resize(sized(leaves));
    tangents_.resize(sized(operations));
    adjoint_tangents_.resize(sized(operations));
    zeros_.assign(index(stride_), 0.0);
    work_.assign(index(stride_), 0.0);
    adjoint_tangent_written_.resize(index(operations));
    find_dependence();
    find_log_sum();
    register_written_.resize(index(operations));
    leaf_written_.resize(index(leaves));
    for (int k = 0; k < leaves; ++k) leaf_pointers_.push_back(leaf_columns_.data() + k * stride_);
}

int Evaluator::block_size(int b) const { return columns_.layout().blocks()[index(b)].size; }

const double* Evaluator::operand(int id, int b) const {
    if (id < program_.first_register())
        return columns_.column(id) + columns_.layout().blocks()[index(b)].begin;
    return registers_.data() + (id - program_.first_register()) * stride_;
}

double* Evaluator::adjoint(int id) {
    return adjoints_.data() + (id - program_.first_register()) * stride_;
}

void Evaluator::set_parameters(const double* parameters) {
    std::copy(parameters, parameters + program_.parameter_count(), slots_.begin());
    leaf_jacobian_is_current_ = log_sum_is_current_ = false;
    if (!program_.uniform_operations().empty()) run_uniform_operations();
}

// Uniform operations use the same kernels on one short block of equal rows, and their adjoints give
// the local derivatives, so that every function is written once.
void Evaluator::run_uniform_operations() {
    constexpr int n = kernels::row_multiple;
    const kernels::KernelTable& k = kernels::active();
    const int parameters = program_.parameter_count();
    alignas(64) double a[3][n], out[n], one[n], d[2][n];
    std::fill(one, one + n, 1.0);
    int result = program_.first_uniform_operation();
    for (const Operation& op : program_.uniform_operations()) {
        double* tangent = slot_tangents_.data() + result * parameters;
        std::fill(tangent, tangent + parameters, 0.0);
        const auto flow = [&](int slot, double slope) {
            if (slot < 0 || slope == 0.0) return;
            const double* from = slot_tangents_.data() + slot * parameters;
            for (int p = 0; p < parameters; ++p)
                if (from[p] != 0.0) tangent[p] += slope * from[p];
        };
        const auto& args = op.operands;
        const auto value = [&](int slot, double none) {
            return slot < 0 ? none : slots_[index(slot)];
        };
        double& slot_value = slots_[index(result)];
        if (op.code == Opcode::affine_) {
            slot_value = value(args[0], 0.0);
            flow(args[0], 1.0);
            for (std::size_t i = 1; i + 1 < args.size(); i += 2) {
                const double u = value(args[i], 1.0), x = value(args[i + 1], 0.0);
                slot_value += u * x;
                flow(args[i], x);
                flow(args[i + 1], u);
            }
        } else if (op.code == Opcode::logsumexp_) {
            // Every term is uniform here, whether written as fixed part or as operand.
            double shift = -INFINITY, total = 0.0;
            for (std::size_t i = 1; i + 1 < args.size(); i += 2)
                shift = std::fmax(shift, value(args[i + 1], 0.0));
            if (!std::isfinite(shift)) shift = 0.0;
            for (std::size_t i = 1; i + 1 < args.size(); i += 2)
                total += value(args[i], 1.0) * std::exp(value(args[i + 1], 0.0) - shift);
            slot_value = shift + std::log(total);
            for (std::size_t i = 1; i + 1 < args.size(); i += 2) {
                const double share = std::exp(value(args[i + 1], 0.0) - shift) / total;
                flow(args[i], share);
                flow(args[i + 1], share * value(args[i], 1.0));
            }
        } else {
            for (std::size_t i = 0; i < args.size(); ++i)
                std::fill(a[i], a[i] + n, slots_[index(args[i])]);
            if (is_unary(op.code)) {
                k.unary_forward[static_cast<int>(op.code)](n, a[0], out);
                k.unary_reverse[static_cast<int>(op.code)](n, a[0], out, one, d[0], false);
                flow(args[0], d[0][0]);
            } else if (is_binary(op.code)) {
                const int b = static_cast<int>(op.code) - unary_count;
                k.binary_forward[b](n, a[0], a[1], out);
                k.binary_reverse[b](n, a[0], a[1], out, one, d[0], false, d[1], false);
                flow(args[0], d[0][0]);
                flow(args[1], d[1][0]);
            } else {
                k.where_forward(n, a[0], a[1], a[2], out);
                flow(a[0][0] != 0.0 ? args[1] : args[2], 1.0);
            }
            slot_value = out[0];
        }
        ++result;
    }
}

const double* Evaluator::leaf_jacobian() {
    if (!leaf_jacobian_is_current_) {
        const auto parameters = index(program_.parameter_count());
        auto row = leaf_jacobian_.begin();
        for (const int slot : program_.leaves()) {
            std::copy_n(slot_tangents_.begin() +
                            static_cast<std::ptrdiff_t>(index(slot) * parameters),
                        parameters, row);
            row += static_cast<std::ptrdiff_t>(parameters);
        }
        leaf_jacobian_is_current_ = true;
    }
    return leaf_jacobian_.data();
}

const double* Evaluator::forward(int b) {
    if (!log_sum_.empty()) {
        double* out = registers_.data() + (program_.output() - program_.first_register()) * stride_;
        if (log_sum_forward(b, nullptr, out)) return out;
    }
    return general_forward(b);
}

void Evaluator::residuals(int b, const kernels::Residual& residual, double* u) {
    if (log_sum_.empty() || !log_sum_forward(b, &residual, u))
        kernels::active().residuals(block_size(b), general_forward(b), &residual, u);
}

const double* Evaluator::general_forward(int b) {
    const int n = block_size(b);
    OperandScratch scratch{std::move(coefficients_), std::move(pointers_),
                           std::move(share_pointers_)};
    int r = 0;
    for (const Operation& op : program_.row_operations()) {
        const int offset = share_offset_[index(r)];
        run_operation(
            op, n, slots_.data(), [&](int id) { return operand(id, b); },
            [&](int k) { return shares_.data() + (offset + k) * stride_; },
            registers_.data() + r * stride_, scratch);
        ++r;
    }
    coefficients_ = std::move(scratch.coefficients);
    pointers_ = std::move(scratch.pointers);
    share_pointers_ = std::move(scratch.shares);
    return operand(program_.output(), b);
}

const double* const* Evaluator::reverse(int b, const double* seed) {
    return log_sum_.empty() ? general_reverse(b, seed) : log_sum_reverse(b, seed);
}

const double* const* Evaluator::general_reverse(int b, const double* seed) {
    const kernels::KernelTable& k = kernels::active();
    const int n = block_size(b);
    const int first = program_.first_register();
    std::fill(register_written_.begin(), register_written_.end(), 0);
    std::fill(leaf_written_.begin(), leaf_written_.end(), 0);

    // Whoever contributes first overwrites, so nothing needs to be cleared.
    const auto wanted = [&](int id) { return id >= first && program_.active()[index(id - first)]; };
    const auto first_touch = [&](int id) {
        char& written = register_written_[index(id - first)];
        const bool add = written;
        written = 1;
        return add;
    };
    const auto leaf = [&](int slot) {
        return slot < 0 ? -1 : program_.leaf_of_slot()[index(slot)];
    };
    const auto touch_leaf = [&](int l) {
        const bool add = leaf_written_[index(l)];
        leaf_written_[index(l)] = 1;
        return add;
    };
    const auto uniform = [&](int slot, double none) {
        return slot < 0 ? none : slots_[index(slot)];
    };
    const bool guarded = guarded_ || !columns_.finite();  // columns may have been filled again
    const auto multiply = guarded ? k.multiply_guarded : k.multiply;
    const auto scale = guarded ? k.scale_guarded : k.scale;

    if (wanted(program_.output())) {
        if (seed)
            std::copy(seed, seed + n, adjoint(program_.output()));
        else
            std::fill_n(adjoint(program_.output()), n, 1.0);
        first_touch(program_.output());
    }
    for (int r = static_cast<int>(program_.row_operations().size()) - 1; r >= 0; --r) {
        if (!register_written_[index(r)]) continue;
        const Operation& op = program_.row_operations()[index(r)];
        const auto& a = op.operands;
        const double* out = registers_.data() + r * stride_;
        const double* d_out = adjoints_.data() + r * stride_;
        if (is_unary(op.code)) {
            if (wanted(a[0])) {
                const bool add = first_touch(a[0]);
                k.unary_reverse[static_cast<int>(op.code)](n, operand(a[0], b), out, d_out,
                                                           adjoint(a[0]), add);
            }
        } else if (is_binary(op.code)) {
            double* d_a = wanted(a[0]) ? adjoint(a[0]) : nullptr;
            const bool add_a = d_a && first_touch(a[0]);
            double* d_b = wanted(a[1]) ? adjoint(a[1]) : nullptr;
            const bool add_b = d_b && first_touch(a[1]);
            k.binary_reverse[static_cast<int>(op.code) - unary_count](
                n, operand(a[0], b), operand(a[1], b), out, d_out, d_a, add_a, d_b, add_b);
        } else if (op.code == Opcode::where_) {
            double* d_a = wanted(a[1]) ? adjoint(a[1]) : nullptr;
            const bool add_a = d_a && first_touch(a[1]);
            double* d_b = wanted(a[2]) ? adjoint(a[2]) : nullptr;
            const bool add_b = d_b && first_touch(a[2]);
            k.where_reverse(n, operand(a[0], b), d_out, d_a, add_a, d_b, add_b);
        } else if (op.code == Opcode::affine_) {
            if (const int l = leaf(a[0]); l >= 0)
                k.scale(n, 1.0, d_out, leaf_pointers_[index(l)], touch_leaf(l));
            for (std::size_t i = 1; i + 1 < a.size(); i += 2) {
                if (const int l = leaf(a[i]); l >= 0)
                    multiply(n, 1.0, d_out, operand(a[i + 1], b), leaf_pointers_[index(l)],
                             touch_leaf(l));
                if (wanted(a[i + 1])) {
                    const bool add = first_touch(a[i + 1]);
                    scale(n, uniform(a[i], 1.0), d_out, adjoint(a[i + 1]), add);
                }
            }
        } else {  // logsumexp
            const double* share = shares_.data() + share_offset_[index(r)] * stride_;
            const FixedPart fixed = fixed_part(op, slots_.data());
            std::size_t i = 1;
            for (; i < 1 + 2 * static_cast<std::size_t>(a[0]); i += 2) {
                // d / d coefficient = exp(e - out), d / d exponent = coefficient * exp(e - out), the
                // latter nothing at all where the coefficient is zero, however large the exponent.
                const double relative = std::exp(uniform(a[i + 1], 0.0) - fixed.shift);
                const double coefficient = uniform(a[i], 1.0);
                if (const int l = leaf(a[i]); l >= 0)
                    multiply(n, relative, d_out, share, leaf_pointers_[index(l)], touch_leaf(l));
                if (const int l = leaf(a[i + 1]); l >= 0 && coefficient != 0.0)
                    multiply(n, coefficient * relative, d_out, share, leaf_pointers_[index(l)],
                             touch_leaf(l));
            }
            for (; i + 1 < a.size(); i += 2) {
                share += stride_;
                if (const int l = leaf(a[i]); l >= 0)
                    multiply(n, 1.0, d_out, share, leaf_pointers_[index(l)], touch_leaf(l));
                if (wanted(a[i + 1])) {
                    const bool add = first_touch(a[i + 1]);
                    const double coefficient = uniform(a[i], 1.0);
                    if (coefficient != 0.0)
                        multiply(n, coefficient, d_out, share, adjoint(a[i + 1]), add);
                    else if (!add)
                        std::fill(adjoint(a[i + 1]), adjoint(a[i + 1]) + n, 0.0);
                }
            }
        }
    }
    for (std::size_t l = 0; l < leaf_written_.size(); ++l)
        if (!leaf_written_[l]) std::fill(leaf_pointers_[l], leaf_pointers_[l] + n, 0.0);
    return leaf_pointers_.data();
}

}  // namespace lawfit
