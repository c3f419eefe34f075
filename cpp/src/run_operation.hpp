// Running one operation forward over one block: shared by columns, uniform slots and rows.
#pragma once

#include <cmath>
#include <limits>
#include <vector>

#include <lawfit/expression/evaluator.hpp>
#include <lawfit/kernels.hpp>

namespace lawfit {

// Columns of scratch in which a logsumexp keeps its softmax: one for the fixed part, one per term.
inline int share_columns(const Operation& op) {
    if (op.code != Opcode::logsumexp_) return 0;
    const int fixed = op.operands[0];
    return (static_cast<int>(op.operands.size()) - 1 - 2 * fixed) / 2 + 1;
}

// Reused between calls so that nothing is allocated in a loop once it has grown.
struct OperandScratch {
    std::vector<double> coefficients;
    std::vector<const double*> pointers;
    std::vector<double*> shares;
};

inline FixedPart fixed_part(const Operation& op, const double* slots) {
    const auto& a = op.operands;
    const auto coefficient = [&](int j) {
        const int slot = a[static_cast<std::size_t>(1 + 2 * j)];
        return slot < 0 ? 1.0 : slots[slot];
    };
    const auto exponent = [&](int j) {
        const int slot = a[static_cast<std::size_t>(2 + 2 * j)];
        return slot < 0 ? 0.0 : slots[slot];
    };
    FixedPart part;
    const int fixed = a[0];
    if (fixed == 0) return part;
    part.shift = -std::numeric_limits<double>::infinity();
    for (int j = 0; j < fixed; ++j)
        if (exponent(j) > part.shift) part.shift = exponent(j);
    if (!std::isfinite(part.shift)) part.shift = 0.0;
    for (int j = 0; j < fixed; ++j) {
        const double e = exponent(j) - part.shift;
        part.sum += e == 0.0 ? coefficient(j) : coefficient(j) * std::exp(e);
    }
    return part;
}

// operand(id) -> const double* of n values; share(k) -> double* scratch column k of this operation.
template <class Operand, class Share>
void run_operation(const Operation& op, int n, const double* slots, Operand operand, Share share,
                   double* out, OperandScratch& scratch) {
    const kernels::KernelTable& k = kernels::active();
    const auto& a = op.operands;
    const auto uniform = [&](int slot, double none) { return slot < 0 ? none : slots[slot]; };
    if (is_unary(op.code)) {
        k.unary_forward[static_cast<int>(op.code)](n, operand(a[0]), out);
        return;
    }
    if (is_binary(op.code)) {
        k.binary_forward[static_cast<int>(op.code) - unary_count](n, operand(a[0]), operand(a[1]),
                                                                  out);
        return;
    }
    if (op.code == Opcode::where_) {
        k.where_forward(n, operand(a[0]), operand(a[1]), operand(a[2]), out);
        return;
    }
    const bool lse = op.code == Opcode::logsumexp_;
    std::size_t i = lse ? 1 + 2 * static_cast<std::size_t>(a[0]) : 1;
    const int terms = static_cast<int>((a.size() - i) / 2);
    scratch.coefficients.clear();
    scratch.pointers.clear();
    for (; i + 1 < a.size(); i += 2) {
        scratch.coefficients.push_back(uniform(a[i], 1.0));
        scratch.pointers.push_back(operand(a[i + 1]));
    }
    if (!lse) {
        k.affine(n, uniform(a[0], 0.0), terms, scratch.coefficients.data(), scratch.pointers.data(),
                 out);
        return;
    }
    scratch.shares.clear();
    for (int t = 0; t < terms; ++t) scratch.shares.push_back(share(t + 1));
    const FixedPart fixed = fixed_part(op, slots);
    k.logsumexp(n, fixed.shift, fixed.sum, terms, scratch.coefficients.data(),
                scratch.pointers.data(), out, scratch.shares.data(), a[0] > 0 ? share(0) : nullptr);
}

}  // namespace lawfit
