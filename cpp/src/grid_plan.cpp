#include "grid_plan.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <map>
#include <stdexcept>

#include <lawfit/expression/columns.hpp>

#include "grid_order.hpp"

namespace lawfit {
namespace {

using Kind = GridNode::Kind;
using Term = GridNode::Term;

constexpr double infinity = std::numeric_limits<double>::infinity();
// Longest group whose functions are tabulated when the plan is made.
constexpr std::int64_t longest_table = std::int64_t{1} << 20;
// Products are rearranged only while the factors' sizes in powers of two stay below this sum.
constexpr double largest_reach = 900.0;

bool single(std::uint64_t mask) { return mask != 0 && (mask & (mask - 1)) == 0; }
bool within(std::uint64_t a, std::uint64_t b) { return (a & ~b) == 0; }

// Of a few entries. Clang warns of std::stable_sort in libstdc++, which uses deprecated functions.
template <class Before>
void sort_stably(std::vector<int>& list, Before before) {
    for (auto entry = list.begin(); entry != list.end(); ++entry)
        std::rotate(std::upper_bound(list.begin(), entry, *entry, before), entry, entry + 1);
}

// --- groups of axes --------------------------------------------------------------------------------

std::vector<GridGroup> group_axes(const std::vector<GridAxis>& axes) {
    std::vector<std::int64_t> stride(axes.size());
    std::int64_t cells = 1;
    for (std::size_t a = axes.size(); a-- > 0;) {
        if (axes[a].size < 1) throw std::invalid_argument("grid: an axis has no values");
        stride[a] = cells;
        if (axes[a].size > (std::int64_t{1} << 62) / cells)
            throw std::invalid_argument("grid: more than 2^62 cells");
        cells *= axes[a].size;
    }
    std::vector<int> order;
    for (std::size_t a = 0; a < axes.size(); ++a)
        if (axes[a].size > 1) order.push_back(static_cast<int>(a));
    sort_stably(order, [&](int a, int b) { return axes[index(a)].size > axes[index(b)].size; });
    // Loops over few values cost more than they save, so short axes are stepped through together.
    std::vector<GridGroup> groups;
    for (const int a : order) {
        const std::int64_t n = axes[index(a)].size;
        if (groups.empty() || (groups.back().length >= 64 && groups.back().length * n > 1024))
            groups.emplace_back();
        groups.back().axes.push_back(a);
        groups.back().length *= n;
    }
    if (groups.empty()) groups.emplace_back();  // a grid of one cell
    for (GridGroup& g : groups) {
        std::sort(g.axes.begin(), g.axes.end());  // flat indices then rise with the coordinate
        g.cell.assign(index(g.length), 0);
        std::int64_t inner = g.length;
        for (const int a : g.axes) {
            const std::int64_t n = axes[index(a)].size;
            inner /= n;
            for (std::int64_t i = 0; i < g.length; ++i)
                g.cell[index(i)] += i / inner % n * stride[index(a)];
        }
    }
    return groups;
}

// --- the graph -------------------------------------------------------------------------------------

class Builder {
public:
    Builder(const GridProblem& problem, GridPlan& plan) : axes_(problem.axes), plan_(plan) {}

    // The node of a formula's value. In exact mode every operation is done as the program does it;
    // otherwise sums and products may be rearranged.
    int formula(const GridFormula& formula, bool exact) {
        const Program& program = *formula.program;
        Context context{program, slot_values(formula), {}, {}};
        for (auto& known : context.known)
            known.assign(index(program.first_register()) + program.row_operations().size(), -1);
        for (const std::string& name : program.columns()) {
            const auto axis = std::find_if(axes_.begin(), axes_.end(),
                                           [&](const GridAxis& a) { return a.name == name; });
            if (axis == axes_.end())
                throw std::invalid_argument("grid: there is no axis \"" + name + "\"");
            context.axis.push_back(static_cast<int>(axis - axes_.begin()));
        }
        return build(context, program.output(), exact);
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
        if (!single(mask)) kept = gather(std::move(kept), mask);
        if (kept.empty()) return constant(offset);
        if (offset == 0.0 && kept.size() == 1 && kept[0].c == 1.0 && kept[0].factors.size() == 1)
            return kept[0].factors[0];
        GridNode made;
        made.kind = Kind::sum;
        made.offset = offset;
        made.terms = std::move(kept);
        return add(std::move(made));
    }

    // The same sum with the other sign, always as a sum of its own.
    int negated(int id, double sign) {
        GridNode made;
        made.kind = Kind::sum;
        const GridNode& from = node(id);
        if (from.kind == Kind::sum) {
            made.offset = sign * from.offset;
            made.terms = from.terms;
            for (Term& term : made.terms) term.c *= sign;
        } else {
            made.terms = {{sign, {id}}};
        }
        return add(std::move(made), false);
    }

    int product(std::vector<int> factors) { return sum(0.0, {{1.0, std::move(factors)}}); }
    const GridNode& node(int id) const { return plan_.nodes[index(id)]; }

private:
    struct Context {
        const Program& program;
        std::vector<double> slots;
        std::vector<int> axis;      // of each column
        std::vector<int> known[2];  // node of each varying id, as such and in exact mode
    };

    // Uniform operations run as row operations over a block of equal rows.
    static std::vector<double> slot_values(const GridFormula& formula) {
        const Program& program = *formula.program;
        constexpr int n = kernels::row_multiple;
        std::vector<double> slots(formula.parameters,
                                  formula.parameters + program.parameter_count());
        slots.insert(slots.end(), program.constants().begin(), program.constants().end());
        OperandScratch memory;
        for (const Operation& op : program.uniform_operations()) {
            Buffer operands(index(n) * (op.operands.size() + 1)), out(n);
            Buffer shares(index(n) * index(share_columns(op) + 1));
            int column = 0;
            run_operation(
                op, n, slots.data(),
                [&](int slot) -> const double* {
                    double* filled = operands.data() + n * column++;
                    std::fill(filled, filled + n, slots[index(slot)]);
                    return filled;
                },
                [&](int k) { return shares.data() + n * k; }, out.data(), memory);
            slots.push_back(out[0]);
        }
        return slots;
    }

    int build(Context& context, int id, bool exact) {
        int& known = context.known[exact ? 1 : 0][index(id)];
        if (known >= 0) return known;
        const Program& program = context.program;
        int made = -1;
        if (id < program.column_count()) {
            made = axis_node(context.axis[index(id)]);
        } else {
            const bool on_data = id < program.first_register();
            const Operation& op =
                on_data ? program.data_operations()[index(id - program.column_count())]
                        : program.row_operations()[index(id - program.first_register())];
            made = build_operation(context, op, exact);
        }
        context.known[exact ? 1 : 0][index(id)] = made;
        return made;
    }

    int build_operation(Context& context, const Operation& op, bool exact) {
        const auto& a = op.operands;
        const auto slot = [&](int s, double none) {
            return s < 0 ? none : context.slots[index(s)];
        };
        const auto shared_slot = [&](int s) {
            return s < 0 ? s : slot_of(context.slots[index(s)]);
        };
        if (op.code == Opcode::affine_) {
            std::vector<Term> terms;
            Operation same{op.code, {shared_slot(a[0])}};
            for (std::size_t i = 1; i + 1 < a.size(); i += 2) {
                const int x = build(context, a[i + 1], exact);
                terms.push_back({slot(a[i], 1.0), {x}});
                same.operands.push_back(shared_slot(a[i]));
                same.operands.push_back(x);
            }
            return exact ? operation(std::move(same)) : sum(slot(a[0], 0.0), std::move(terms));
        }
        if (op.code == Opcode::logsumexp_) {
            const std::size_t fixed = 2 * index(a[0]);
            Operation same{op.code, {a[0]}};
            for (std::size_t i = 1; i < 1 + fixed; ++i) same.operands.push_back(shared_slot(a[i]));
            for (std::size_t i = 1 + fixed; i + 1 < a.size(); i += 2) {
                same.operands.push_back(shared_slot(a[i]));
                same.operands.push_back(build(context, a[i + 1], exact));
            }
            const int as_sum = exact ? -1 : log_of_sum(same);
            return as_sum >= 0 ? as_sum : operation(std::move(same));
        }
        // Rounding must not move a cell over the edge of a condition, compared with the program.
        const bool compares = op.code == Opcode::lt_ || op.code == Opcode::le_ ||
                              op.code == Opcode::eq_ || op.code == Opcode::ne_;
        Operation same{op.code, {}};
        for (std::size_t i = 0; i < a.size(); ++i)
            same.operands.push_back(
                build(context, a[i], exact || compares || (op.code == Opcode::where_ && i == 0)));
        if (exact) return operation(std::move(same));
        switch (op.code) {
            case Opcode::mul_: return product(same.operands);
            case Opcode::exp_: return exponential(same.operands[0]);
            case Opcode::sqrt_: return factorwise(same, 0.5);
            case Opcode::reciprocal_: return factorwise(same, 1.0);
            case Opcode::pow_:
                if (node(same.operands[1]).kind == Kind::constant)
                    return factorwise(same, std::fabs(node(same.operands[1]).constant));
                break;
            default: break;
        }
        return operation(std::move(same));
    }

    // --- rearrangements ---

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
            } else if (factor.kind == Kind::sum && is_product(factor)) {
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
                f = operation({Opcode::mul_, {f, members[i]}});
            term.factors.push_back(f);
        }
    }

    static bool is_product(const GridNode& n) { return n.offset == 0.0 && n.terms.size() == 1; }

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
            const auto inside = [&](std::uint64_t of) { return within(m, of); };
            if (std::any_of(largest.begin(), largest.end(), inside)) continue;
            largest.erase(std::remove_if(largest.begin(), largest.end(),
                                         [&](std::uint64_t other) { return within(other, m); }),
                          largest.end());
            largest.push_back(m);
        }
        std::vector<std::vector<Term>> gathered(largest.size());
        std::vector<Term> result;
        for (Term& term : terms) {
            const std::uint64_t m = mask_of(term);
            const auto at = std::find_if(largest.begin(), largest.end(),
                                         [&](std::uint64_t of) { return within(m, of); });
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
        if (node(x).kind != Kind::sum || single(node(x).mask)) return operation(plain);
        const std::vector<Term> terms = node(x).terms;
        const double offset = node(x).offset;
        std::vector<int> parts;
        double reach = std::fabs(offset);
        for (const Term& term : terms) {
            if (!single(mask_of(term))) return operation(plain);
            const int part = sum(0.0, {term});
            if (node(part).kind != Kind::table) return operation(plain);
            double largest = 0.0;
            for (const double v : node(part).values)
                largest = std::isfinite(v) ? std::fmax(largest, std::fabs(v)) : infinity;
            reach += largest;
            parts.push_back(part);
        }
        if (!(reach * 1.4426950408889634 <= largest_reach)) return operation(plain);
        std::vector<int> factors{operation({Opcode::exp_, {constant(offset)}})};
        for (const int part : parts) factors.push_back(operation({Opcode::exp_, {part}}));
        return product(std::move(factors));
    }

    // f(product of positive factors) as the product of f(factor), for a power f of this size.
    int factorwise(const Operation& op, double power) {
        const GridNode& n = node(op.operands[0]);
        if (n.kind != Kind::sum || !is_product(n) || !n.positive ||
            !(n.reach * std::fmax(1.0, power) <= largest_reach))
            return operation(op);
        std::vector<int> factors = n.terms[0].factors;
        factors.push_back(constant(n.terms[0].c));
        for (int& f : factors) {
            Operation one = op;
            one.operands[0] = f;
            f = operation(std::move(one));
        }
        return product(std::move(factors));
    }

    // log(sum c exp(x)) with the sum taken as such, where nothing in it can overflow; else -1.
    int log_of_sum(const Operation& op) {
        const auto& a = op.operands;
        const FixedPart fixed = fixed_part(op, plan_.slots.data());
        const double start = a[0] > 0 ? fixed.sum * std::exp(fixed.shift) : 0.0;
        if (!(start >= 0.0) || !(start < 1e200)) return -1;
        std::vector<Term> terms;
        for (std::size_t i = 1 + 2 * index(a[0]); i + 1 < a.size(); i += 2) {
            const double c = a[i] < 0 ? 1.0 : plan_.slots[index(a[i])];
            const int e = exponential(a[i + 1]);
            if (!(c > 1e-30) || !(c < 1e30) || !(node(e).reach <= largest_reach / 2)) return -1;
            terms.push_back({c, {e}});
        }
        return operation({Opcode::log_, {sum(start, std::move(terms))}});
    }

    // --- nodes ---

    int slot_of(double value) {
        const auto [at, is_new] =
            known_slots_.try_emplace(bits(value), static_cast<int>(plan_.slots.size()));
        if (is_new) plan_.slots.push_back(value);
        return at->second;
    }

    static std::int64_t bits(double x) {
        std::int64_t u;
        std::memcpy(&u, &x, sizeof u);
        return u;
    }

    int constant(double value) {
        GridNode made;
        made.constant = value;
        return add(std::move(made));
    }

    int axis_node(int a) {
        const GridAxis& axis = axes_[index(a)];
        if (axis.size == 1) return constant(axis.values[0]);
        auto [at, is_new] = known_axes_.try_emplace(a, -1);
        if (!is_new) return at->second;
        GridNode made;
        made.kind = Kind::table;
        for (int g = 0; g < plan_.depth(); ++g) {
            const GridGroup& group = plan_.groups[index(g)];
            std::int64_t inner = group.length;
            for (const int member : group.axes) {
                inner /= axes_[index(member)].size;
                if (member != a) continue;
                made.mask = std::uint64_t{1} << g;
                made.values.resize(padded(group.length));
                for (std::int64_t i = 0; i < group.length; ++i)
                    made.values[index(i)] = axis.values[i / inner % axis.size];
                std::fill(made.values.begin() + group.length, made.values.end(),
                          made.values[index(group.length - 1)]);
            }
        }
        return at->second = append(std::move(made));
    }

    int operation(Operation op) {
        GridNode made;
        made.kind = Kind::operation;
        made.operation = std::move(op);
        return add(std::move(made));
    }

    // The node, or the one that is known to be the same; evaluated at once if that is possible.
    int add(GridNode made, bool evaluate_now = true) {
        visit_operands(made, [&](int id) { made.mask |= node(id).mask; });
        const auto same = [&] {
            std::vector<std::int64_t> key{static_cast<std::int64_t>(made.kind), bits(made.constant),
                                          static_cast<std::int64_t>(made.operation.code),
                                          bits(made.offset)};
            key.insert(key.end(), made.operation.operands.begin(), made.operation.operands.end());
            for (const Term& term : made.terms) {
                key.push_back(-1);
                key.push_back(bits(term.c));
                key.insert(key.end(), term.factors.begin(), term.factors.end());
            }
            return key;
        };
        if (!evaluate_now) return append(std::move(made));
        const std::vector<std::int64_t> key = same();
        const auto known = known_.find(key);
        if (known != known_.end()) return known->second;
        if (made.kind != Kind::constant && made.mask == 0) {
            Buffer out(index(kernels::row_multiple));
            evaluate(made, 0, kernels::row_multiple, out.data());
            const int id = constant(out[0]);
            known_.emplace(key, id);
            return id;
        }
        if (single(made.mask)) tabulate(made);
        const int id = append(std::move(made));
        known_.emplace(key, id);
        return id;
    }

    int append(GridNode made) {
        const auto see = [&](double v) {
            made.positive = made.positive && v > 0.0;
            if (v != 0.0)
                made.reach = std::isfinite(v)
                                 ? std::fmax(made.reach, std::fabs(std::log2(std::fabs(v))))
                                 : infinity;
        };
        if (made.kind == Kind::constant) {
            made.positive = true;
            see(made.constant);
        } else if (made.kind == Kind::table) {
            made.positive = true;
            for (const double v : made.values) see(v);
        } else if (made.kind == Kind::sum && is_product(made)) {
            made.positive = made.terms[0].c > 0.0;
            made.reach = std::fabs(std::log2(std::fabs(made.terms[0].c)));
            for (const int f : made.terms[0].factors) {
                made.positive = made.positive && node(f).positive;
                made.reach += node(f).reach;
            }
        } else {
            made.reach = infinity;
        }
        plan_.nodes.push_back(std::move(made));
        return static_cast<int>(plan_.nodes.size()) - 1;
    }

    static std::size_t padded(std::int64_t n) {
        return index((n + kernels::row_multiple - 1) / kernels::row_multiple *
                     kernels::row_multiple);
    }

    void evaluate(const GridNode& made, std::int64_t start, int n, double* out) {
        evaluator_.run(
            made, plan_.slots.data(), n,
            [&](int id) {
                const GridNode& from = node(id);
                return from.kind == Kind::table ? GridValue{from.values.data() + start, 0.0}
                                                : GridValue{nullptr, from.constant};
            },
            out);
    }

    void tabulate(GridNode& made) {
        std::int64_t length = 0;
        for (int g = 0; g < plan_.depth(); ++g)
            if (made.mask >> g & 1) length = plan_.groups[index(g)].length;
        bool tables = length <= longest_table;
        visit_operands(made, [&](int id) {
            tables = tables && (node(id).kind == Kind::table || node(id).mask == 0);
        });
        if (!tables) return;
        Buffer values(padded(length));
        const auto size = static_cast<std::int64_t>(values.size());
        for (std::int64_t start = 0; start < size; start += grid_block)
            evaluate(made, start,
                     static_cast<int>(std::min<std::int64_t>(grid_block, size - start)),
                     values.data() + start);
        GridNode table;
        table.kind = Kind::table;
        table.mask = made.mask;
        table.values = std::move(values);
        made = std::move(table);
    }

    const std::vector<GridAxis>& axes_;
    GridPlan& plan_;
    GridEvaluator evaluator_;
    std::map<std::int64_t, int> known_slots_;
    std::map<int, int> known_axes_;
    std::map<std::vector<std::int64_t>, int> known_;
};

// Constraints of the same groups, or of fewer, as one.
std::vector<int> combine_constraints(Builder& builder, const std::vector<int>& constraints,
                                     std::uint64_t all) {
    std::vector<std::vector<int>> sets;
    std::vector<int> order = constraints;
    const auto groups = [&](int id) {
        int n = 0;
        for (std::uint64_t m = builder.node(id).mask; m; m &= m - 1) ++n;
        return n;
    };
    sort_stably(order, [&](int a, int b) { return groups(a) > groups(b); });
    for (const int id : order) {
        const auto home = std::find_if(sets.begin(), sets.end(), [&](const std::vector<int>& set) {
            const std::uint64_t mask = builder.node(id).mask, of = builder.node(set[0]).mask;
            // One of all groups is decided per cell and must not take others with it.
            return mask != 0 && (mask == of || (of != all && within(mask, of)));
        });
        if (home == sets.end())
            sets.push_back({id});
        else
            home->push_back(id);
    }
    std::vector<int> result;
    for (std::vector<int>& set : sets) result.push_back(builder.product(std::move(set)));
    return result;
}

void mark_needed(GridPlan& plan) {
    plan.nodes[index(plan.objective)].needed = true;
    for (const int c : plan.constraints) plan.nodes[index(c)].needed = true;
    for (std::size_t i = plan.nodes.size(); i-- > 0;)
        if (plan.nodes[i].needed)
            visit_operands(plan.nodes[i], [&](int id) { plan.nodes[index(id)].needed = true; });
}

}  // namespace

std::unique_ptr<GridPlan> plan_grid(const GridProblem& problem) {
    auto plan = std::make_unique<GridPlan>();
    plan->groups = group_axes(problem.axes);
    for (const GridAxis& axis : problem.axes) plan->cells *= axis.size;
    Builder builder(problem, *plan);
    std::vector<int> constraints;
    for (const GridFormula& c : problem.constraints)
        constraints.push_back(builder.formula(c, true));
    plan->constraints = combine_constraints(builder, constraints, plan->all());
    plan->objective =
        builder.negated(builder.formula(problem.objective, false), problem.maximize ? -1.0 : 1.0);
    mark_needed(*plan);
    order_loops(*plan, problem.along);
    return plan;
}

}  // namespace lawfit
