// What every instruction-set build of the kernels offers: arithmetic on blocks of rows, nothing else.
//
// This header is included by the kernel files, which are compiled with wider instruction sets than
// the rest of the library: it must not pull in inline code of Eigen or the standard library, or the
// linker could give the wide copy of that code to a machine that cannot run it.
#pragma once

#include <lawfit/opcodes.hpp>

namespace lawfit::kernels {

// Every block holds a multiple of this many rows; the tail is padded by the caller.
constexpr int row_multiple = 8;
// Rows that are worked on at a time: small enough for all registers of a program to stay in cache.
constexpr int block_rows = 256;

// The losses rho(u), minimised as sum w rho(u).
//   squared   u^2 / 2
//   linear    c |u| outside |u| <= core, c u^2 / (2 core) + c core / 2 shifted to be continuous inside;
//             c = above for u > 0, below otherwise. Huber(d): above = below = core = d.
//             Absolute: above = below = 1, core = 0. Quantile(q): above = 1 - q, below = q, core = 0.
//   cauchy    core^2 / 2 log(1 + (u / core)^2)
//   logcosh   core^2 log cosh(u / core)
enum class LossKind : std::int32_t { squared, linear, cauchy, logcosh };

struct LossSpec {
    LossKind kind = LossKind::squared;
    double above = 1.0;
    double below = 1.0;
    double core = 1.0;
};

// coefficient * exp(reference + offset + slope * x), one term of log_sum.
struct Exponential {
    double coefficient;
    double offset;
    double slope;
    const double* x;  // n values
};

// What makes values residuals: u = (value - target) * factor [* row_factor].
struct Residual {
    const double* target;
    double factor;
    const double* row_factor;  // null: 1
};

// What is far from the reference of log_sum is rounded to that distance's last place: this keeps the
// absolute error below 1e-14.
constexpr double tame_reach = 40.0;
// The same below it, where the sum is at least 1e-17 times the reference.
constexpr double tame_reach_of_small = 640.0;

struct KernelTable {
    const char* name;

    // out = f(a); adjoint: d_a (+)= d_out * f'(a). `add` false overwrites d_a.
    using UnaryForward = void (*)(int n, const double* a, double* out);
    using UnaryReverse = void (*)(int n, const double* a, const double* out, const double* d_out,
                                  double* d_a, bool add);
    UnaryForward unary_forward[unary_count];
    UnaryReverse unary_reverse[unary_count];

    // Either adjoint pointer may be null: nobody needs that derivative.
    using BinaryForward = void (*)(int n, const double* a, const double* b, double* out);
    using BinaryReverse = void (*)(int n, const double* a, const double* b, const double* out,
                                   const double* d_out, double* d_a, bool add_a, double* d_b,
                                   bool add_b);
    BinaryForward binary_forward[binary_count];
    BinaryReverse binary_reverse[binary_count];

    // Second-order parts of the adjoints' tangents, added: with t_a, t_b the tangents of a and b and
    // d_out the adjoint of out,
    //   unary   t_d_a += f''(a) t_a d_out
    //   binary  t_d_a += (f_aa t_a + f_ab t_b) d_out,  t_d_b += (f_ab t_a + f_bb t_b) d_out
    // A null tangent is zero; a null result is not wanted.
    using UnarySecond = void (*)(int n, const double* a, const double* out, const double* t_a,
                                 const double* d_out, double* t_d_a);
    using BinarySecond = void (*)(int n, const double* a, const double* b, const double* out,
                                  const double* t_a, const double* t_b, const double* d_out,
                                  double* t_d_a, double* t_d_b);
    UnarySecond unary_second[unary_count];
    BinarySecond binary_second[binary_count];

    void (*where_forward)(int n, const double* condition, const double* a, const double* b,
                          double* out);
    void (*where_reverse)(int n, const double* condition, const double* d_out, double* d_a,
                          bool add_a, double* d_b, bool add_b);

    // out = offset + sum_k coefficient[k] * x[k]
    void (*affine)(int n, double offset, int terms, const double* coefficient,
                   const double* const* x, double* out);

    // out = log(fixed_sum * exp(fixed_shift) + sum_k coefficient[k] * exp(x[k])), finite wherever the
    // answer is. share[k] = exp(x[k] - out), fixed_share = exp(fixed_shift - out): the softmax that the
    // adjoint needs. fixed_share is null when there is no fixed part.
    void (*logsumexp)(int n, double fixed_shift, double fixed_sum, int terms,
                      const double* coefficient, const double* const* x, double* out,
                      double* const* share, double* fixed_share);

    // The same for exponents that are linear in a column, in one pass: for exponents all within
    // the reach above of the reference, a finite number, and coefficients and fixed_sum, the factor of
    // exp(reference), between 1e-30 and 1e30. Without a fixed part fixed_sum is 0, fixed_share null.
    // One term or more; its column may be where its share goes. With a residual out gets residuals.
    void (*log_sum)(int n, double reference, double fixed_sum, int terms, const Exponential* term,
                    const Residual* residual, double* out, double* const* share,
                    double* fixed_share);

    // y (+)= c * a, and y (+)= c * a * b
    void (*scale)(int n, double c, const double* a, double* y, bool add);
    void (*multiply)(int n, double c, const double* a, const double* b, double* y, bool add);

    // The same, but 0 where a is 0 even if c or b is not finite: for adjoints behind a `where`.
    void (*scale_guarded)(int n, double c, const double* a, double* y, bool add);
    void (*multiply_guarded)(int n, double c, const double* a, const double* b, double* y,
                             bool add);

    void (*residuals)(int n, const double* value, const Residual* residual, double* u);

    // sum w rho(u)
    double (*loss_value)(int n, const LossSpec* loss, const double* u, const double* w);
    // slope = w rho'(u); bend = w rho'(u)^2 / (2 rho(u)), the Gauss-Newton weight of the
    // signed-root-loss residual; curvature = w rho''(u). Those that are null are left out; there
    // is no bend without slope. Returns sum w rho(u) where there is bend.
    double (*loss_slopes)(int n, const LossSpec* loss, const double* u, const double* w,
                          double* slope, double* bend, double* curvature);

    double (*sum)(int n, const double* a);
    double (*dot)(int n, const double* a, const double* b);
    // gram[i (i + 1) / 2 + j] += sum_row weight * jacobian[i] * jacobian[j], j <= i, and, unless
    // slope is null, gradient[i] += sum_row slope * jacobian[i].
    void (*gram)(int n, int columns, const double* const* jacobian, const double* weight,
                 double* gram, const double* slope, double* gradient);

    // The kernels of a grid search take any n, not only multiples of row_multiple.
    // Makes values NaN where feasible is 0 (null: nowhere) and returns the smallest of the others,
    // infinity if there is none. counts: how many are feasible, and how many of these are not NaN.
    double (*grid_scan)(int n, const double* feasible, double* values, int* counts);
    // Index of the first value equal to `wanted`, which must be among them.
    int (*grid_find)(int n, const double* values, double wanted);
    // best[i] and cell[i] become values[i] and base + offset[i] where that value is smaller, or equal
    // and its cell is smaller. NaN is never smaller.
    void (*grid_improve)(int n, const double* values, std::int64_t base, const std::int64_t* offset,
                         double* best, std::int64_t* cell);
};

// The builds that exist in this library, best last; null-terminated.
extern const KernelTable* const available_builds[];

// The build in use: the widest that this processor runs, or the one named by LAWFIT_ISA.
const KernelTable& active();

// Chooses a build by name. Returns false when this library or this processor does not have it.
bool select(const char* name);

// True if this processor can run the build.
bool runs_here(const KernelTable& table);

}  // namespace lawfit::kernels
