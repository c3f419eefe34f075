// Closed forms where the value is the logarithm of a sum of exponentials that are linear in the leaves.
//
// With shares s_k and gradients g_k of the exponents, the gradient of the value is J = sum_k s_k g_k
// and its second derivative sum_k s_k g_k g_k' - J J'.
#include <algorithm>
#include <cmath>

#include <lawfit/expression/evaluator.hpp>

#include "index.hpp"
#include "run_operation.hpp"

namespace lawfit {
namespace {

// Adds sign times a symmetric matrix, packed as a lower triangle by rows, to the entries of `matrix`,
// (stride, stride), that place(i) names.
template <class Place>
void add_lower(const double* packed, int count, double sign, double* matrix, int stride,
               Place place) {
    for (int i = 0; i < count; ++i)
        for (int j = 0; j <= i; ++j) {
            const double value = sign * *packed++;
            matrix[place(i) * stride + place(j)] += value;
            if (j < i) matrix[place(j) * stride + place(i)] += value;
        }
}

}  // namespace

void Evaluator::find_log_sum() {
    const int first = program_.first_register();
    const auto leaf_of = [&](int slot) {
        return slot < 0 ? -1 : program_.leaf_of_slot()[index(slot)];
    };
    if (guarded_ || program_.row_operations().empty()) return;
    if (program_.output() != first + static_cast<int>(program_.row_operations().size()) - 1) return;
    const Operation& sum = program_.row_operations().back();
    if (sum.code != Opcode::logsumexp_) return;
    const auto& a = sum.operands;
    std::vector<LinearTerm> terms;
    std::size_t i = 1;
    for (; i < 1 + 2 * index(a[0]); i += 2) {
        if (leaf_of(a[i]) >= 0) return;
        LinearTerm& term = terms.emplace_back();
        if (const int l = leaf_of(a[i + 1]); l >= 0) term.parts.push_back({l, -1, true});
    }
    bool one_pass = true;  // exponents are affine in columns
    std::vector<ExponentSlots> exponents;
    for (; i + 1 < a.size(); i += 2) {
        if (leaf_of(a[i]) >= 0) return;
        LinearTerm& term = terms.emplace_back();
        ExponentSlots& slots = exponents.emplace_back();
        slots.coefficient = a[i];
        const int r = a[i + 1] - first;
        if (r < 0) {
            slots.factors.emplace_back(-1, a[i + 1]);
            continue;
        }
        const Operation& exponent = program_.row_operations()[index(r)];
        const bool moves = program_.active()[index(r)];
        if (exponent.code != Opcode::affine_) {
            if (moves) return;
            one_pass = false;
            continue;
        }
        const auto& e = exponent.operands;
        slots.offset = e[0];
        if (const int l = leaf_of(e[0]); l >= 0) term.parts.push_back({l, -1, true});
        for (std::size_t k = 1; k + 1 < e.size(); k += 2) {
            if (e[k + 1] >= first) {
                if (program_.active()[index(e[k + 1] - first)]) return;
                one_pass = false;
            }
            slots.factors.emplace_back(e[k], e[k + 1]);
            if (const int l = leaf_of(e[k]); l >= 0) term.parts.push_back({l, e[k + 1], true});
        }
    }
    log_sum_ = std::move(terms);
    std::vector<int> uses(program_.leaves().size(), 0);
    for (const LinearTerm& term : log_sum_)
        for (const LinearPart& part : term.parts) ++uses[index(part.leaf)];
    for (LinearTerm& term : log_sum_)
        for (LinearPart& part : term.parts) part.only = uses[index(part.leaf)] == 1;
    ones_.assign(index(stride_), 1.0);
    term_weights_.resize(log_sum_.size());
    std::size_t most = program_.leaves().size();
    for (const LinearTerm& term : log_sum_) most = std::max(most, term.parts.size());
    factors_.resize(most);
    gram_.resize(most * (most + 1) / 2);
    leaf_results_.resize(program_.leaves().size());
    if (!one_pass) return;
    exponents_ = std::move(exponents);
    exponentials_.resize(exponents_.size());
    offsets_.resize(exponents_.size());
    std::size_t factors = 0;
    for (const ExponentSlots& e : exponents_) factors += e.factors.size();
    slopes_.resize(factors);
    slope_columns_.resize(factors);
    const std::size_t fixed = log_sum_.size() - exponents_.size();
    for (std::size_t t = 0; t < exponents_.size(); ++t)
        log_sum_shares_.push_back(shares_.data() + (share_of_term(fixed + t) - shares_.data()));
}

std::vector<int> Evaluator::offset_leaves() const {
    std::vector<int> found;
    for (const LinearTerm& term : log_sum_)
        for (const LinearPart& part : term.parts)
            if (part.only && part.factor < 0) found.push_back(part.leaf);
    return found;
}

// What the terms' shares are multiplied with: their coefficients, for fixed terms relative to the
// fixed part's common share.
void Evaluator::weigh_terms() {
    if (log_sum_is_current_) return;
    log_sum_is_current_ = true;
    const auto& a = program_.row_operations().back().operands;
    const auto uniform = [&](int s, double none) { return s < 0 ? none : slots_[index(s)]; };
    log_sum_fixed_ = fixed_part(program_.row_operations().back(), slots_.data());
    for (std::size_t t = 0; t < log_sum_.size(); ++t) {
        double& w = term_weights_[t] = uniform(a[1 + 2 * t], 1.0);
        if (t >= index(a[0])) continue;
        const double e = uniform(a[2 + 2 * t], 0.0) - log_sum_fixed_.shift;
        if (e != 0.0) w *= std::exp(e);
    }
    std::size_t k = 0;
    for (std::size_t t = 0; t < exponents_.size(); ++t) {
        const ExponentSlots& e = exponents_[t];
        exponentials_[t].coefficient = uniform(e.coefficient, 1.0);
        offsets_[t] = uniform(e.offset, 0.0);
        for (const auto& factor : e.factors) slopes_[k++] = uniform(factor.first, 1.0);
    }
}

// The value or the residuals of a block in one pass. False where the exponents are too far apart for it.
bool Evaluator::log_sum_forward(int b, const kernels::Residual* residual, double* out) {
    if (exponents_.empty()) return false;
    weigh_terms();
    const auto ordinary = [](double c) { return c > 1e-30 && c < 1e30; };
    const bool is_fixed = program_.row_operations().back().operands[0] > 0;
    if (is_fixed && !ordinary(log_sum_fixed_.sum)) return false;
    double low = is_fixed ? log_sum_fixed_.shift : INFINITY, high = is_fixed ? low : -INFINITY;
    std::size_t k = 0;
    for (std::size_t t = 0; t < exponents_.size(); ++t) {
        if (!ordinary(exponentials_[t].coefficient)) return false;
        double least = offsets_[t], most = least;
        for (const auto& factor : exponents_[t].factors) {
            const BoundColumns::Range range = columns_.range(factor.second, b);
            const double c = slopes_[k];
            least += c * (c < 0.0 ? range.high : range.low);
            most += c * (c < 0.0 ? range.low : range.high);
            slope_columns_[k++] = operand(factor.second, b);
        }
        if (!(least <= most)) return false;  // NaN
        low = least < low ? least : low;
        high = most > high ? most : high;
    }
    const double reference = is_fixed ? log_sum_fixed_.shift : 0.5 * (low + high);
    // Terms far below a fixed part do not show in the sum, whatever they lose to rounding.
    const double reach_below =
        is_fixed && log_sum_fixed_.sum > 1e-17 ? kernels::tame_reach_of_small : kernels::tame_reach;
    if (!(high - reference < kernels::tame_reach && reference - low < reach_below &&
          std::fabs(reference) < 1e300))
        return false;
    const int n = block_size(b);
    const double* slope = slopes_.data();
    const double** column = slope_columns_.data();
    for (std::size_t t = 0; t < exponents_.size(); ++t) {
        const double offset = offsets_[t] - reference;
        const auto count = static_cast<int>(exponents_[t].factors.size());
        kernels::Exponential& e = exponentials_[t];
        if (count == 1) {
            e = {e.coefficient, offset, *slope, *column};
        } else {
            kernels::active().affine(n, offset, count, slope, column, log_sum_shares_[t]);
            e = {e.coefficient, 0.0, 1.0, log_sum_shares_[t]};
        }
        slope += count;
        column += count;
    }
    const int last = static_cast<int>(program_.row_operations().size()) - 1;
    double* fixed_share = shares_.data() + share_offset_[index(last)] * stride_;
    kernels::active().log_sum(n, reference, is_fixed ? log_sum_fixed_.sum : 0.0,
                              static_cast<int>(exponents_.size()), exponentials_.data(), residual,
                              out, log_sum_shares_.data(), is_fixed ? fixed_share : nullptr);
    return true;
}

const double* Evaluator::share_of_term(std::size_t t) const {
    const int last = static_cast<int>(program_.row_operations().size()) - 1;
    const int fixed = program_.row_operations().back().operands[0];
    const int column = static_cast<int>(t) < fixed ? 0 : 1 + static_cast<int>(t) - fixed;
    return shares_.data() + (share_offset_[index(last)] + column) * stride_;
}

const double* const* Evaluator::log_sum_reverse(int b, const double* seed) {
    const kernels::KernelTable& k = kernels::active();
    const int n = block_size(b);
    weigh_terms();
    std::fill(leaf_results_.begin(), leaf_results_.end(), nullptr);
    for (std::size_t t = 0; t < log_sum_.size(); ++t) {
        const LinearTerm& term = log_sum_[t];
        double c = term_weights_[t];
        if (term.parts.empty() || c == 0.0) continue;
        const double* share = share_of_term(t);
        if (seed) {
            k.multiply(n, c, share, seed, work_.data(), false);
            share = work_.data();
            c = 1.0;
        }
        for (const LinearPart& part : term.parts) {
            const double*& result = leaf_results_[index(part.leaf)];
            double* column = leaf_pointers_[index(part.leaf)];
            if (part.only && part.factor < 0 && c == 1.0 && !seed) {
                result = share;  // as it stands
                continue;
            }
            const bool add = result;
            if (part.factor < 0)
                k.scale(n, c, share, column, add);
            else
                k.multiply(n, c, share, operand(part.factor, b), column, add);
            result = column;
        }
    }
    for (std::size_t l = 0; l < leaf_results_.size(); ++l)
        if (!leaf_results_[l]) leaf_results_[l] = zeros_.data();
    return leaf_results_.data();
}

void Evaluator::add_term_curvature(int b, const double* seed, double* hessian) {
    const kernels::KernelTable& k = kernels::active();
    const int n = block_size(b);
    const int leaves = static_cast<int>(program_.leaves().size());
    weigh_terms();
    for (std::size_t t = 0; t < log_sum_.size(); ++t) {
        const auto& parts = log_sum_[t].parts;
        if (parts.empty() || term_weights_[t] == 0.0) continue;
        k.multiply(n, term_weights_[t], seed, share_of_term(t), work_.data(), false);
        for (std::size_t l = 0; l < parts.size(); ++l)
            factors_[l] = parts[l].factor < 0 ? ones_.data() : operand(parts[l].factor, b);
        const std::size_t count = parts.size();
        std::fill_n(gram_.begin(), count * (count + 1) / 2, 0.0);
        k.gram(n, static_cast<int>(count), factors_.data(), work_.data(), gram_.data(), nullptr,
               nullptr);
        add_lower(gram_.data(), static_cast<int>(count), 1.0, hessian, leaves,
                  [&](int l) { return parts[index(l)].leaf; });
    }
}

void Evaluator::log_sum_second_order(int b, const double* seed, double* hessian, double* gradient) {
    add_term_curvature(b, seed, hessian);
    const int leaves = static_cast<int>(program_.leaves().size());
    std::fill(gram_.begin(), gram_.end(), 0.0);
    kernels::active().gram(block_size(b), leaves, log_sum_reverse(b, nullptr), seed, gram_.data(),
                           gradient ? seed : nullptr, gradient);
    add_lower(gram_.data(), leaves, -1.0, hessian, leaves, [](int l) { return l; });
}

}  // namespace lawfit
