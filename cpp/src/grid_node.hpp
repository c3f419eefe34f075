// One node of the graph that a grid search evaluates, and its evaluation over a block.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include <lawfit/aligned.hpp>
#include <lawfit/expression/program.hpp>
#include <lawfit/kernels.hpp>

#include "index.hpp"
#include "run_operation.hpp"

namespace lawfit {

// Values per call of a kernel.
constexpr int grid_block = 1024;

struct GridNode {
    enum class Kind { constant, table, operation, sum };
    // c * product of factors
    struct Term {
        double c = 1.0;
        std::vector<int> factors;  // node ids
    };

    Kind kind = Kind::constant;
    std::uint64_t mask = 0;  // groups that the value depends on, one bit each
    double constant = 0.0;
    Buffer values;        // table: (length of the group, padded)
    Operation operation;  // operands are node ids and slots of the plan
    double offset = 0.0;  // sum: offset + the terms
    std::vector<Term> terms;
    // Largest |log2 |x|| of the values x other than 0, infinite where that is not known.
    double reach = 0.0;
    bool positive = false;  // known to be above zero everywhere
    bool is_product() const { return offset == 0.0 && terms.size() == 1; }  // of a sum

    // Place in the loop nest, for nodes that depend on some but not all groups, and tables: computed
    // when the coordinate at depth `tick` has changed (-1: once), for all coordinates of `trailing`.
    bool needed = false;
    int tick = -1;
    std::vector<int> trailing;         // depths, the last one varying fastest
    std::vector<std::int64_t> stride;  // (trailing,)
};

// Of masks.
inline bool is_single(std::uint64_t mask) { return mask != 0 && (mask & (mask - 1)) == 0; }
inline bool is_within(std::uint64_t a, std::uint64_t b) { return (a & ~b) == 0; }

// Nodes that a node reads.
template <class Visit>
void visit_operands(const GridNode& node, Visit visit) {
    if (node.kind == GridNode::Kind::sum) {
        for (const GridNode::Term& term : node.terms)
            for (const int f : term.factors) visit(f);
        return;
    }
    if (node.kind != GridNode::Kind::operation) return;
    const auto& a = node.operation.operands;
    if (node.operation.code == Opcode::affine_ || node.operation.code == Opcode::logsumexp_) {
        const std::size_t fixed =
            node.operation.code == Opcode::affine_ ? 0 : static_cast<std::size_t>(a[0]);
        for (std::size_t i = 2 + 2 * fixed; i < a.size(); i += 2) visit(a[i]);
    } else {
        for (const int id : a) visit(id);
    }
}

// The value of a node over a block: one value each, or one for all.
struct GridValue {
    const double* vector = nullptr;
    double scalar = 0.0;
};

// Evaluates operations and sums; one per thread.
class GridEvaluator {
public:
    // out = the node's values on n <= grid_block places, n a multiple of kernels::row_multiple.
    // find(id) -> GridValue of an operand.
    template <class Find>
    void run(const GridNode& node, const double* slots, int n, Find find, double* out) {
        if (node.kind == GridNode::Kind::sum)
            run_sum(node, n, find, out);
        else
            run_operation_node(node, slots, n, find, out);
    }

private:
    double* scratch(int column) {
        const std::size_t needed = static_cast<std::size_t>(column + 1) * grid_block;
        if (scratch_.size() < needed) scratch_.resize(needed);
        return scratch_.data() + static_cast<std::ptrdiff_t>(column) * grid_block;
    }

    template <class Find>
    void run_operation_node(const GridNode& node, const double* slots, int n, Find find,
                            double* out) {
        const kernels::KernelTable& k = kernels::active();
        if (node.operation.code == Opcode::mul_) {  // the same bits without repeating the scalar
            const GridValue a = find(node.operation.operands[0]);
            const GridValue b = find(node.operation.operands[1]);
            if (!a.vector && b.vector) return k.scale(n, a.scalar, b.vector, out, false);
            if (!b.vector && a.vector) return k.scale(n, b.scalar, a.vector, out, false);
        }
        const int shares = share_columns(node.operation);
        int column = shares;
        // All scratch at once: growing it would move what is in use.
        scratch(shares + static_cast<int>(node.operation.operands.size()));
        run_operation(
            node.operation, n, slots,
            [&](int id) -> const double* {
                const GridValue value = find(id);
                if (value.vector) return value.vector;
                double* filled = scratch(column++);
                k.affine(n, value.scalar, 0, nullptr, nullptr, filled);
                return filled;
            },
            [&](int share) { return scratch(share); }, out, operands_);
    }

    template <class Find>
    void run_sum(const GridNode& node, int n, Find find, double* out) {
        const kernels::KernelTable& k = kernels::active();
        double offset = node.offset;
        coefficients_.clear();
        vectors_.clear();
        products_.clear();
        for (const GridNode::Term& term : node.terms) {
            double c = term.c;
            const std::size_t first = factors_.size();
            for (const int id : term.factors) {
                const GridValue value = find(id);
                if (value.vector)
                    factors_.push_back(value.vector);
                else
                    c *= value.scalar;
            }
            const std::size_t count = factors_.size() - first;
            if (count >= 2) {
                products_.push_back({c, first, count});
                continue;
            }
            if (count == 0) {
                offset += c;
            } else {
                coefficients_.push_back(c);
                vectors_.push_back(factors_.back());
            }
            factors_.resize(first);
        }
        bool add = !vectors_.empty() || offset != 0.0 || products_.empty();
        if (add)
            k.affine(n, offset, static_cast<int>(vectors_.size()), coefficients_.data(),
                     vectors_.data(), out);
        for (const Product& p : products_) {
            const double* const* f = factors_.data() + p.first;
            if (p.count > 2) scratch(1);  // growing it later would move what is in use
            const double* partial = f[0];
            for (std::size_t i = 1; i + 1 < p.count; ++i) {
                double* to = scratch(static_cast<int>(i % 2));
                k.multiply(n, 1.0, partial, f[i], to, false);
                partial = to;
            }
            k.multiply(n, p.c, partial, f[p.count - 1], out, add);
            add = true;
        }
        factors_.clear();
    }

    struct Product {
        double c;
        std::size_t first, count;  // in factors_
    };

    Buffer scratch_;
    OperandScratch operands_;
    std::vector<double> coefficients_;
    std::vector<const double*> vectors_;
    std::vector<const double*> factors_;
    std::vector<Product> products_;
};

}  // namespace lawfit
