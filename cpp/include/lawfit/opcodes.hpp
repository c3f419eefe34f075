// The operations of a program, as one table that feeds the enum, the names and the kernels.
#pragma once

#include <cstdint>

// clang-format off

// X(name): one operand, elementwise. still: its value, passed on as if it did not move.
#define LAWFIT_UNARY_OPCODES(X) \
    X(exp) X(log) X(sqrt) X(log1p) X(expm1) X(reciprocal) X(abs) X(tanh) \
    X(sigmoid) X(softplus) X(logit) X(erf) X(normcdf) X(sin) X(cos) X(arctan) X(still)

// X(name): two operands, elementwise. Comparisons give 0 or 1.
#define LAWFIT_BINARY_OPCODES(X) X(mul) X(div) X(pow) X(min) X(max) X(lt) X(le) X(eq) X(ne)

// X(name): operations with an operand list of their own.
//   affine     u0 + sum_k u_k * x_k
//   logsumexp  log( sum_j c_j exp(e_j) + sum_k c_k exp(x_k) )
//   where      condition, value if non-zero, value if zero
#define LAWFIT_TERM_OPCODES(X) X(affine) X(logsumexp) X(where)

// clang-format on

namespace lawfit {

#define LAWFIT_ENUM(name) name##_,
enum class Opcode : std::int32_t {
    LAWFIT_UNARY_OPCODES(LAWFIT_ENUM) LAWFIT_BINARY_OPCODES(LAWFIT_ENUM)
        LAWFIT_TERM_OPCODES(LAWFIT_ENUM) count_
};
#undef LAWFIT_ENUM

#define LAWFIT_COUNT(name) +1
constexpr int unary_count = 0 LAWFIT_UNARY_OPCODES(LAWFIT_COUNT);
constexpr int binary_count = 0 LAWFIT_BINARY_OPCODES(LAWFIT_COUNT);
#undef LAWFIT_COUNT

constexpr bool is_unary(Opcode op) { return static_cast<int>(op) < unary_count; }
constexpr bool is_binary(Opcode op) {
    return !is_unary(op) && static_cast<int>(op) < unary_count + binary_count;
}

}  // namespace lawfit
