#include "grid_algebra.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <map>
#include <utility>

namespace lawfit {
namespace {

using Kind = GridNode::Kind;
using Term = GridNode::Term;

// Products are rearranged only while the factors' sizes in powers of two stay below this sum.
constexpr double largest_reach = 900.0;

class Algebra {
public:
    explicit Algebra(GridGraph& graph) : graph_(graph) {}

    int operation(const Operation& op) {
        const auto& a = op.operands;
        switch (op.code) {
            case Opcode::affine_: return affine(op);
            case Opcode::logsumexp_: return log_of_sum(op);
            case Opcode::mul_: return product(a);
            case Opcode::exp_: return exponential(a[0]);
            case Opcode::sqrt_: return factorwise(op, 0.5);
            case Opcode::reciprocal_: return factorwise(op, 1.0);
            case Opcode::pow_:
                if (node(a[1]).kind == Kind::constant)
                    return factorwise(op, std::fabs(node(a[1]).constant));
                break;
            default: break;
        }
        return graph_.operation(op);
    }

    int product(std::vector<int> factors) { return sum(0.0, {{1.0, std::move(factors)}}); }

private:
    const GridNode& node(int id) const { return graph_.node(id); }
    double slot(int s, double none) const { return s < 0 ? none : graph_.slot_value(s); }

    int affine(const Operation& op) {
        const auto& a = op.operands;
        std::vector<Term> terms;
        for (std::size_t i = 1; i + 1 < a.size(); i += 2)
            terms.push_back({slot(a[i], 1.0), {a[i + 1]}});
        return sum(slot(a[0], 0.0), std::move(terms));
    }

    // offset + terms, arranged so that as little as possible depends on many groups.
    int sum(double offset, std::vector<Term> terms) {
        std::uint64_t mask = 0;
        for (Term& term : terms) {
            fold(term);
            for (const int f : term.factors) mask |= node(f).mask;
        }
        std::vector<Term> kept;
        for (Term& term : terms) {
            if (term.factors.empty())
                offset += term.c;
            else
                kept.push_back(std::move(term));
        }
        if (!is_single(mask)) kept = gather(std::move(kept), mask);
        if (kept.empty()) return graph_.constant(offset);
        if (offset == 0.0 && kept.size() == 1 && kept[0].c == 1.0 && kept[0].factors.size() == 1)
            return kept[0].factors[0];
        GridNode made;
        made.kind = Kind::sum;
        made.offset = offset;
        made.terms = std::move(kept);
        return graph_.add(std::move(made));
    }

    // Multiplies constants into c and takes products apart, where nothing can overflow on the way.
    void fold(Term& term) {
        double reach = std::fabs(std::log2(std::fabs(term.c)));
        for (const int f : term.factors) reach += node(f).reach;
        if (term.c == 0.0 || !(reach <= largest_reach)) {
            std::vector<int> rest;
            for (const int f : term.factors) {
                if (term.factors.size() == 1 && node(f).kind == Kind::constant)
                    term.c *= node(f).constant;
                else
                    rest.push_back(f);
            }
            term.factors = std::move(rest);
            return;
        }
        std::vector<int> flat;
        for (const int f : term.factors) {
            const GridNode& factor = node(f);
            if (factor.kind == Kind::constant) {
                term.c *= factor.constant;
            } else if (factor.kind == Kind::sum && factor.is_product()) {
                term.c *= factor.terms[0].c;
                flat.insert(flat.end(), factor.terms[0].factors.begin(),
                            factor.terms[0].factors.end());
            } else {
                flat.push_back(f);
            }
        }
        // One table per group.
        term.factors.clear();
        std::map<std::uint64_t, std::vector<int>> by_group;
        for (const int f : flat) by_group[node(f).mask].push_back(f);
        for (auto& [mask, members] : by_group) {
            int f = members[0];
            for (std::size_t i = 1; i < members.size(); ++i)
                f = graph_.operation({Opcode::mul_, {f, members[i]}});
            term.factors.push_back(f);
        }
    }

    std::uint64_t mask_of(const Term& term) const {
        std::uint64_t mask = 0;
        for (const int f : term.factors) mask |= node(f).mask;
        return mask;
    }

    // Terms that do not depend on all groups of `mask` are added up first, in as few sums as possible.
    std::vector<Term> gather(std::vector<Term> terms, std::uint64_t mask) {
        std::vector<std::uint64_t> largest;
        for (const Term& term : terms) {
            const std::uint64_t m = mask_of(term);
            if (m == mask) continue;
            const auto inside = [&](std::uint64_t of) { return is_within(m, of); };
            if (std::any_of(largest.begin(), largest.end(), inside)) continue;
            largest.erase(std::remove_if(largest.begin(), largest.end(),
                                         [&](std::uint64_t other) { return is_within(other, m); }),
                          largest.end());
            largest.push_back(m);
        }
        std::vector<std::vector<Term>> gathered(largest.size());
        std::vector<Term> result;
        for (Term& term : terms) {
            const std::uint64_t m = mask_of(term);
            const auto at = std::find_if(largest.begin(), largest.end(),
                                         [&](std::uint64_t of) { return is_within(m, of); });
            if (m == mask)
                result.push_back(std::move(term));
            else
                gathered[index(at - largest.begin())].push_back(std::move(term));
        }
        for (std::vector<Term>& members : gathered) {
            if (members.size() == 1 && members[0].factors.size() == 1)
                result.push_back(std::move(members[0]));
            else
                result.push_back({1.0, {sum(0.0, std::move(members))}});
        }
        return result;
    }

    // exp(sum of functions of one group each) as a product of tables.
    int exponential(int x) {
        const Operation plain{Opcode::exp_, {x}};
        if (node(x).kind != Kind::sum || is_single(node(x).mask)) return graph_.operation(plain);
        const std::vector<Term> terms = node(x).terms;
        const double offset = node(x).offset;
        std::vector<int> parts;
        double reach = std::fabs(offset);
        for (const Term& term : terms) {
            if (!is_single(mask_of(term))) return graph_.operation(plain);
            const int part = sum(0.0, {term});
            if (node(part).kind != Kind::table) return graph_.operation(plain);
            double largest = 0.0;
            for (const double v : node(part).values)
                largest = std::isfinite(v) ? std::fmax(largest, std::fabs(v))
                                           : std::numeric_limits<double>::infinity();
            reach += largest;
            parts.push_back(part);
        }
        if (!(reach * 1.4426950408889634 <= largest_reach)) return graph_.operation(plain);
        std::vector<int> factors{graph_.operation({Opcode::exp_, {graph_.constant(offset)}})};
        for (const int part : parts) factors.push_back(graph_.operation({Opcode::exp_, {part}}));
        return product(std::move(factors));
    }

    // f(product of positive factors) as the product of f(factor), for a power f of this size.
    int factorwise(const Operation& op, double power) {
        const GridNode& n = node(op.operands[0]);
        if (n.kind != Kind::sum || !n.is_product() || !n.positive ||
            !(n.reach * std::fmax(1.0, power) <= largest_reach))
            return graph_.operation(op);
        std::vector<int> factors = n.terms[0].factors;
        factors.push_back(graph_.constant(n.terms[0].c));
        for (int& f : factors) {
            Operation one = op;
            one.operands[0] = f;
            f = graph_.operation(std::move(one));
        }
        return product(std::move(factors));
    }

    // log(sum c exp(x)) with the sum taken as such, where nothing in it can overflow.
    int log_of_sum(const Operation& op) {
        const auto& a = op.operands;
        const FixedPart fixed = fixed_part(op, graph_.slots());
        const double start = a[0] > 0 ? fixed.sum * std::exp(fixed.shift) : 0.0;
        if (!(start >= 0.0) || !(start < 1e200)) return graph_.operation(op);
        std::vector<Term> terms;
        for (std::size_t i = 1 + 2 * index(a[0]); i + 1 < a.size(); i += 2) {
            const double c = a[i] < 0 ? 1.0 : graph_.slot_value(a[i]);
            const int e = exponential(a[i + 1]);
            if (!(c > 1e-30) || !(c < 1e30) || !(node(e).reach <= largest_reach / 2))
                return graph_.operation(op);
            terms.push_back({c, {e}});
        }
        return graph_.operation({Opcode::log_, {sum(start, std::move(terms))}});
    }

    GridGraph& graph_;
};

}  // namespace

int arranged_operation(GridGraph& graph, const Operation& op) {
    return Algebra(graph).operation(op);
}

int arranged_product(GridGraph& graph, std::vector<int> factors) {
    return Algebra(graph).product(std::move(factors));
}

}  // namespace lawfit
