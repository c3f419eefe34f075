// Exact second derivatives: tangents of the values and of the adjoints, one leaf at a time.
#include <algorithm>
#include <cmath>

#include <lawfit/expression/evaluator.hpp>

#include "index.hpp"
#include "run_operation.hpp"

namespace lawfit {
// depends_[l, r]: whether row operation r moves with leaf l.
void Evaluator::find_dependence() {
    const auto& operations = program_.row_operations();
    const int count = static_cast<int>(operations.size());
    const int first = program_.first_register();
    depends_.assign(program_.leaves().size() * operations.size(), 0);
    for (std::size_t l = 0; l < program_.leaves().size(); ++l) {
        const int slot = program_.leaves()[l];
        char* row = depends_.data() + l * operations.size();
        for (int r = 0; r < count; ++r) {
            const Operation& op = operations[index(r)];
            if (op.code == Opcode::still_) continue;
            const auto see = [&](int id) {
                if (id >= first) row[r] |= row[id - first];
            };
            const auto& a = op.operands;
            if (op.code != Opcode::affine_ && op.code != Opcode::logsumexp_) {
                for (const int id : a) see(id);
                continue;
            }
            std::size_t i = 1;
            if (op.code == Opcode::affine_)
                row[r] |= a[0] == slot;
            else
                for (; i < 1 + 2 * index(a[0]); ++i) row[r] |= a[i] == slot;
            for (; i + 1 < a.size(); i += 2) {
                row[r] |= a[i] == slot;
                see(a[i + 1]);
            }
        }
    }
}

const double* Evaluator::tangent(int leaf, int id) const {
    const int r = id - program_.first_register();
    if (r < 0 || !depends_[index(leaf) * program_.row_operations().size() + index(r)])
        return nullptr;
    return tangents_.data() + r * stride_;
}

void Evaluator::run_tangents(int leaf, int b) {
    const kernels::KernelTable& k = kernels::active();
    const auto multiply = guarded_ ? k.multiply_guarded : k.multiply;
    const auto scale = guarded_ ? k.scale_guarded : k.scale;
    const int n = block_size(b);
    const int slot = program_.leaves()[index(leaf)];
    const auto uniform = [&](int s, double none) { return s < 0 ? none : slots_[index(s)]; };
    const int first = program_.first_register();
    for (int r = 0; r < static_cast<int>(program_.row_operations().size()); ++r) {
        if (!tangent(leaf, first + r)) continue;
        const Operation& op = program_.row_operations()[index(r)];
        const auto& a = op.operands;
        const double* out = registers_.data() + r * stride_;
        double* t = tangents_.data() + r * stride_;
        if (is_unary(op.code)) {
            k.unary_reverse[static_cast<int>(op.code)](n, operand(a[0], b), out,
                                                       tangent(leaf, a[0]), t, false);
        } else if (is_binary(op.code)) {
            const auto slope = k.binary_reverse[static_cast<int>(op.code) - unary_count];
            const double *x = operand(a[0], b), *y = operand(a[1], b);
            const double *t_x = tangent(leaf, a[0]), *t_y = tangent(leaf, a[1]);
            if (t_x) slope(n, x, y, out, t_x, t, false, nullptr, false);
            if (t_y) slope(n, x, y, out, t_y, nullptr, false, t, t_x != nullptr);
        } else if (op.code == Opcode::where_) {
            const double *t_x = tangent(leaf, a[1]), *t_y = tangent(leaf, a[2]);
            k.where_forward(n, operand(a[0], b), t_x ? t_x : zeros_.data(),
                            t_y ? t_y : zeros_.data(), t);
        } else if (op.code == Opcode::affine_) {
            bool add = a[0] == slot;
            if (add) std::fill(t, t + n, 1.0);
            for (std::size_t i = 1; i + 1 < a.size(); i += 2) {
                if (a[i] == slot) {
                    scale(n, 1.0, operand(a[i + 1], b), t, add);
                    add = true;
                }
                if (const double* t_x = tangent(leaf, a[i + 1])) {
                    scale(n, uniform(a[i], 1.0), t_x, t, add);
                    add = true;
                }
            }
            if (!add) std::fill(t, t + n, 0.0);
        } else {
            const double* share = shares_.data() + share_offset_[index(r)] * stride_;
            const FixedPart fixed = fixed_part(op, slots_.data());
            bool add = false;
            std::size_t i = 1;
            for (; i < 1 + 2 * index(a[0]); i += 2) {
                const double relative = std::exp(uniform(a[i + 1], 0.0) - fixed.shift);
                double slope = a[i] == slot ? relative : 0.0;
                if (a[i + 1] == slot) slope += uniform(a[i], 1.0) * relative;
                if (slope == 0.0) continue;
                scale(n, slope, share, t, add);
                add = true;
            }
            for (; i + 1 < a.size(); i += 2) {
                share += stride_;
                if (a[i] == slot) {
                    scale(n, 1.0, share, t, add);
                    add = true;
                }
                if (const double* t_x = tangent(leaf, a[i + 1])) {
                    multiply(n, uniform(a[i], 1.0), t_x, share, t, add);
                    add = true;
                }
            }
            if (!add) std::fill(t, t + n, 0.0);
        }
    }
}

void Evaluator::run_adjoint_tangents(int leaf, int b, double* row) {
    const kernels::KernelTable& k = kernels::active();
    const auto multiply = guarded_ ? k.multiply_guarded : k.multiply;
    const auto scale = guarded_ ? k.scale_guarded : k.scale;
    const int n = block_size(b);
    const int slot = program_.leaves()[index(leaf)];
    const int first = program_.first_register();
    const auto uniform = [&](int s, double none) { return s < 0 ? none : slots_[index(s)]; };
    const auto leaf_of = [&](int s) { return s < 0 ? -1 : program_.leaf_of_slot()[index(s)]; };
    const auto wanted = [&](int id) { return id >= first && program_.active()[index(id - first)]; };
    std::fill(adjoint_tangent_written_.begin(), adjoint_tangent_written_.end(), 0);
    // The adjoint tangent of an id, zero when first touched; every contribution is then an addition.
    const auto target = [&](int id) {
        double* t = adjoint_tangents_.data() + (id - first) * stride_;
        char& written = adjoint_tangent_written_[index(id - first)];
        if (!written) std::fill(t, t + n, 0.0);
        written = 1;
        return t;
    };

    for (int r = static_cast<int>(program_.row_operations().size()) - 1; r >= 0; --r) {
        if (!register_written_[index(r)]) continue;
        const bool moves = tangent(leaf, first + r) != nullptr;
        const double* t_d_out =
            adjoint_tangent_written_[index(r)] ? adjoint_tangents_.data() + r * stride_ : nullptr;
        if (!moves && !t_d_out) continue;
        const Operation& op = program_.row_operations()[index(r)];
        const auto& a = op.operands;
        const double* out = registers_.data() + r * stride_;
        const double* d_out = adjoints_.data() + r * stride_;
        if (is_unary(op.code)) {
            if (!wanted(a[0])) continue;
            const int code = static_cast<int>(op.code);
            if (t_d_out)
                k.unary_reverse[code](n, operand(a[0], b), out, t_d_out, target(a[0]), true);
            if (const double* t = tangent(leaf, a[0]))
                k.unary_second[code](n, operand(a[0], b), out, t, d_out, target(a[0]));
        } else if (is_binary(op.code)) {
            const int code = static_cast<int>(op.code) - unary_count;
            double* t_x = wanted(a[0]) ? target(a[0]) : nullptr;
            double* t_y = wanted(a[1]) ? target(a[1]) : nullptr;
            const double *x = operand(a[0], b), *y = operand(a[1], b);
            if (t_d_out) k.binary_reverse[code](n, x, y, out, t_d_out, t_x, true, t_y, true);
            if (moves)
                k.binary_second[code](n, x, y, out, tangent(leaf, a[0]), tangent(leaf, a[1]), d_out,
                                      t_x, t_y);
        } else if (op.code == Opcode::where_) {
            if (!t_d_out) continue;
            double* t_x = wanted(a[1]) ? target(a[1]) : nullptr;
            double* t_y = wanted(a[2]) ? target(a[2]) : nullptr;
            k.where_reverse(n, operand(a[0], b), t_d_out, t_x, true, t_y, true);
        } else if (op.code == Opcode::affine_) {
            if (const int m = leaf_of(a[0]); m >= 0 && t_d_out) row[m] += k.sum(n, t_d_out);
            for (std::size_t i = 1; i + 1 < a.size(); i += 2) {
                const double* t_x = tangent(leaf, a[i + 1]);
                if (const int m = leaf_of(a[i]); m >= 0) {
                    if (t_d_out) row[m] += k.dot(n, t_d_out, operand(a[i + 1], b));
                    if (t_x) row[m] += k.dot(n, d_out, t_x);
                }
                if (wanted(a[i + 1])) {
                    if (t_d_out) scale(n, uniform(a[i], 1.0), t_d_out, target(a[i + 1]), true);
                    if (a[i] == slot) scale(n, 1.0, d_out, target(a[i + 1]), true);
                }
            }
        } else {
            const double* share = shares_.data() + share_offset_[index(r)] * stride_;
            const FixedPart fixed = fixed_part(op, slots_.data());
            // d share = share (d x - d out)
            double* d_share = work_.data();
            std::size_t i = 1;
            if (a[0] > 0) {
                if (moves) multiply(n, -1.0, share, tangents_.data() + r * stride_, d_share, false);
                const double still = k.dot(n, share, d_out);
                const double moving = (moves ? k.dot(n, d_share, d_out) : 0.0) +
                                      (t_d_out ? k.dot(n, share, t_d_out) : 0.0);
                for (; i < 1 + 2 * index(a[0]); i += 2) {
                    const double c = uniform(a[i], 1.0);
                    const double relative = std::exp(uniform(a[i + 1], 0.0) - fixed.shift);
                    const bool c_moves = a[i] == slot, e_moves = a[i + 1] == slot;
                    if (const int m = leaf_of(a[i]); m >= 0)
                        row[m] += relative * (moving + (e_moves ? still : 0.0));
                    if (const int m = leaf_of(a[i + 1]); m >= 0)
                        row[m] += relative * (c * moving + (e_moves ? c * still : 0.0) +
                                              (c_moves ? still : 0.0));
                }
            }
            for (; i + 1 < a.size(); i += 2) {
                share += stride_;
                const double* t_x = tangent(leaf, a[i + 1]);
                if (moves) multiply(n, -1.0, share, tangents_.data() + r * stride_, d_share, false);
                if (t_x) multiply(n, 1.0, share, t_x, d_share, moves);
                if (const int m = leaf_of(a[i]); m >= 0) {
                    if (moves) row[m] += k.dot(n, d_share, d_out);
                    if (t_d_out) row[m] += k.dot(n, share, t_d_out);
                }
                if (wanted(a[i + 1])) {
                    double* t = target(a[i + 1]);
                    if (moves) multiply(n, uniform(a[i], 1.0), d_out, d_share, t, true);
                    if (t_d_out) multiply(n, uniform(a[i], 1.0), t_d_out, share, t, true);
                    if (a[i] == slot) multiply(n, 1.0, d_out, share, t, true);
                }
            }
        }
    }
}

void Evaluator::second_order(int b, const double* seed, double* hessian, double* gradient) {
    if (!log_sum_.empty()) {
        log_sum_second_order(b, seed, hessian, gradient);
        return;
    }
    const double* const* leaf = general_reverse(b, seed);
    const int leaves = static_cast<int>(program_.leaves().size());
    for (int l = 0; gradient && l < leaves; ++l)
        gradient[l] += kernels::active().sum(block_size(b), leaf[l]);
    for (int l = 0; l < leaves; ++l) {
        run_tangents(l, b);
        run_adjoint_tangents(l, b, hessian + l * leaves);
    }
}

}  // namespace lawfit
