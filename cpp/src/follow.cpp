#include <lawfit/search/follow.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <memory>
#include <stdexcept>

#include <lawfit/expression/columns.hpp>
#include <lawfit/expression/evaluator.hpp>

#include "index.hpp"

namespace lawfit {
namespace {

constexpr int width = block_rows;  // rows that are solved together
constexpr long task_rows = 4096;
constexpr int most_steps = 14;
constexpr double longest = 1.0;     // step, in units of the logarithm
constexpr double shift = 1e-6;      // of the differences that make the Hessian of exact gradients
constexpr double arrived = 1e-11;   // a step, or a force over the scale of the equations: none
constexpr double telling = 1e-7;    // a step from which the Hessian learns
constexpr double certain = 1e-4;    // least pivot of the equations, over their scale
constexpr double feasible = 1e-10;  // largest violation that counts as none, but for rounding
constexpr double tiny = 1e-300;
constexpr double infinity = std::numeric_limits<double>::infinity();

// Columns of one block, (count, width).
class Lanes {
public:
    explicit Lanes(int count) : values_(index(count) * width, 0.0) {}
    double* operator[](int k) { return values_.data() + index(k) * width; }
    const double* operator[](int k) const { return values_.data() + index(k) * width; }

private:
    Buffer values_;
};

// a -= b c
void take_product(double* __restrict a, const double* __restrict b, const double* __restrict c) {
    for (int r = 0; r < width; ++r) a[r] -= b[r] * c[r];
}
// a += b c
void add_product(double* __restrict a, const double* __restrict b, const double* __restrict c) {
    for (int r = 0; r < width; ++r) a[r] += b[r] * c[r];
}
void divide(double* __restrict out, const double* __restrict a, const double* __restrict b) {
    for (int r = 0; r < width; ++r) out[r] = a[r] / b[r];
}
// Of the first entries of two equations the larger one becomes the pivot; sets what to take of it.
// Returns whether any are exchanged.
bool choose(double* __restrict a, double* __restrict b, double* __restrict exchange,
            double* __restrict factor) {
    for (int r = 0; r < width; ++r) {
        exchange[r] = std::fabs(b[r]) > std::fabs(a[r]) ? 1.0 : 0.0;
        const bool other = exchange[r] != 0.0;
        const double kept = other ? b[r] : a[r], rest = other ? a[r] : b[r];
        a[r] = kept;
        // 0 if both are 0: the next equation may have a pivot.
        factor[r] = rest / (kept + (kept == 0.0 ? 1.0 : 0.0));
    }
    return std::any_of(exchange, exchange + width, [](double other) { return other != 0.0; });
}
// The same for their other entries, after which the second equation lacks the first variable.
void eliminate(double* __restrict a, double* __restrict b, const double* __restrict exchange,
               const double* __restrict factor) {
    for (int r = 0; r < width; ++r) {
        const bool other = exchange[r] != 0.0;
        const double kept = other ? b[r] : a[r], rest = other ? a[r] : b[r];
        a[r] = kept;
        b[r] = rest - factor[r] * kept;
    }
}
// a = max(a, |b|)
void raise_to(double* __restrict a, const double* __restrict b) {
    for (int r = 0; r < width; ++r) a[r] = std::max(a[r], std::fabs(b[r]));
}

// A program over the rows of a block, which move.
class Function {
public:
    Function(const Program& program, const std::vector<int>& sources, Lanes& table)
        : program_(program),
          input_(inputs(sources, table)),
          columns_(program, input_, width),
          evaluator_(program, columns_) {}

    void at(const std::vector<double>& steps) { evaluator_.set_parameters(steps.data()); }
    // moved: since the last call, the columns did.
    const double* value(bool moved) {
        if (moved) columns_.refill(program_, input_);
        return evaluator_.forward(0);
    }
    // After value(): derivatives by the planned variables to the columns out[first], ...
    void gradient(const double* ones, Lanes& out, int first) {
        const double* const* leaf = evaluator_.reverse(0, ones);
        const double* chain = evaluator_.leaf_jacobian();
        const int n = program_.parameter_count();
        for (int i = 0; i < n; ++i) {
            double* to = out[first + i];
            std::fill(to, to + width, 0.0);
            for (std::size_t l = 0; l < program_.leaves().size(); ++l) {
                const double c = chain[l * index(n) + index(i)];
                const double* from = leaf[l];
                if (c == 0.0) continue;
                if (std::isfinite(c))
                    for (int r = 0; r < width; ++r) to[r] += from[r] * c;
                else
                    for (int r = 0; r < width; ++r)
                        if (from[r] != 0.0) to[r] += from[r] * c;
            }
        }
    }

private:
    static std::vector<const double*> inputs(const std::vector<int>& sources, Lanes& table) {
        std::vector<const double*> found;
        for (const int s : sources) found.push_back(table[s]);
        return found;
    }

    const Program& program_;
    std::vector<const double*> input_;
    BoundColumns columns_;
    Evaluator evaluator_;
};

// What one thread works with.
class Newton {
public:
    Newton(const FollowProblem& problem, const std::vector<std::vector<int>>& sources)
        : problem_(problem),
          n_(static_cast<int>(problem.planned.size())),
          m_(static_cast<int>(problem.binding.size())),
          free_(chosen(problem.inside)),
          held_(chosen(problem.binding)),
          nf_(static_cast<int>(free_.size())),
          mh_(static_cast<int>(held_.size())),
          first_derived_(n_ + static_cast<int>(problem.by_draw.size() + problem.by_start.size())),
          table_(first_derived_ + static_cast<int>(problem.derived.size())),
          values_(1 + m_),
          gradients_((1 + m_) * n_),
          kept_values_(1 + m_),
          kept_gradients_((1 + m_) * n_),
          hessian_(nf_ * nf_),
          step_(nf_),
          lam_(mh_),
          before_(nf_),
          after_(nf_),
          system_((nf_ + mh_) * (nf_ + mh_ + 1)),
          scale_(1),
          per_force_(mh_),
          scratch_(3),
          ones_(index(width), 1.0) {
        std::size_t k = 0;
        const std::vector<double> still(index(n_), 0.0);
        for (const FollowProblem::Derived& d : problem.derived) {
            derived_.push_back(std::make_unique<Function>(*d.program, sources[k++], table_));
            derived_.back()->at(still);
        }
        for (const Program* p : problem.functions) {
            functions_.push_back(std::make_unique<Function>(*p, sources[k++], table_));
            functions_.back()->at(still);
        }
    }

    // Solves the rows first, ..., first + rows - 1; see the results below.
    void solve(std::int64_t first, int rows) {
        fill(first, rows);
        evaluate(true);
        for (int i = 0; i < nf_ * nf_; ++i)
            std::fill(hessian_[i], hessian_[i] + width, i % (nf_ + 1) == 0 ? 1.0 : 0.0);
        find_step();
        find_hessian();
        find_step();
        for (int step = 0; step < most_steps && move(); ++step) find_step();
        judge();
    }

    const double* objective() const { return values_[0]; }
    const double* x(int i) const { return table_[i]; }
    bool settled(int r) const { return settled_[index(r)] != 0; }
    std::int64_t evaluations() const { return evaluations_; }

private:
    static std::vector<int> chosen(const std::vector<char>& which) {
        std::vector<int> out;
        for (std::size_t i = 0; i < which.size(); ++i)
            if (which[i]) out.push_back(static_cast<int>(i));
        return out;
    }
    double* gradient(int function, int variable) { return gradients_[function * n_ + variable]; }
    double* hessian(int i, int j) { return hessian_[i * nf_ + j]; }

    void fill(std::int64_t first, int rows) {
        for (int r = 0; r < width; ++r) {
            const std::int64_t row = first + std::min(r, rows - 1);
            const std::int64_t draw = row / problem_.starts, start = row % problem_.starts;
            int k = 0;
            for (; k < n_; ++k) table_[k][r] = problem_.start[k * problem_.starts + start];
            for (const auto& column : problem_.by_draw) table_[k++][r] = column.values[draw];
            for (const auto& column : problem_.by_start) table_[k++][r] = column.values[start];
        }
        for (std::size_t d = 0; d < derived_.size(); ++d) {
            const FollowProblem::Derived& how = problem_.derived[d];
            const double* value = derived_[d]->value(true);
            double* to = table_[first_derived_ + static_cast<int>(d)];
            for (int r = 0; r < width; ++r)
                to[r] = !how.positive || value[r] > 0.0 ? value[r] : how.otherwise;
        }
    }

    void evaluate(bool moved) {
        for (int k = 0; k <= m_; ++k) {
            Function& f = *functions_[index(k)];
            const double* value = f.value(moved);
            std::copy(value, value + width, values_[k]);
            f.gradient(ones_.data(), gradients_, k * n_);
        }
        evaluations_ += width;
    }

    // The Lagrangian's gradient by the free variables.
    void find_pull(Lanes& out) {
        for (int i = 0; i < nf_; ++i) {
            const double* g = gradient(0, free_[index(i)]);
            std::copy(g, g + width, out[i]);
            for (int j = 0; j < mh_; ++j)
                add_product(out[i], lam_[j], gradient(1 + held_[index(j)], free_[index(i)]));
        }
    }

    void find_hessian() {
        find_pull(before_);
        std::swap(values_, kept_values_);  // those of the point itself are needed again
        std::swap(gradients_, kept_gradients_);
        std::vector<double> steps(index(n_), 0.0);
        for (int i = 0; i < nf_; ++i) {
            steps[index(free_[index(i)])] = shift;
            for (const auto& f : functions_) f->at(steps);
            evaluate(false);
            find_pull(after_);
            for (int j = 0; j < nf_; ++j)
                for (int r = 0; r < width; ++r)
                    hessian(i, j)[r] = (after_[j][r] - before_[j][r]) / shift;
            steps[index(free_[index(i)])] = 0.0;
        }
        for (int i = 0; i < nf_; ++i)
            for (int j = 0; j < i; ++j)
                for (int r = 0; r < width; ++r)
                    hessian(i, j)[r] = hessian(j, i)[r] =
                        0.5 * (hessian(i, j)[r] + hessian(j, i)[r]);
        for (const auto& f : functions_) f->at(steps);
        std::swap(values_, kept_values_);
        std::swap(gradients_, kept_gradients_);
    }

    // Solves for step and multipliers, the held constraints being equalities. These are brought to
    // the objective's scale, so that the larger of two entries is the better pivot, and come first,
    // where they mostly are.
    void find_step() {
        const int size = nf_ + mh_;
        const auto k = [&](int i, int j) { return system_[i * (size + 1) + j]; };
        double* scale = scale_[0];
        std::fill_n(scale, width, tiny);
        for (int i = 0; i < nf_; ++i) {
            const double* g = gradient(0, free_[index(i)]);
            raise_to(scale, g);
            for (int j = 0; j < nf_; ++j) {
                raise_to(scale, hessian(i, j));
                std::copy_n(hessian(i, j), width, k(mh_ + i, j));
            }
            for (int r = 0; r < width; ++r) k(mh_ + i, size)[r] = -g[r];
        }
        for (int h = 0; h < mh_; ++h) {
            const int c = 1 + held_[index(h)], column = nf_ + h;
            double* by = per_force_[h];
            std::fill_n(by, width, tiny);
            for (const int i : free_) raise_to(by, gradient(c, i));
            for (int r = 0; r < width; ++r) by[r] = scale[r] / by[r];
            for (int i = 0; i < nf_; ++i) {
                const double* a = gradient(c, free_[index(i)]);
                for (int r = 0; r < width; ++r) k(mh_ + i, column)[r] = k(h, i)[r] = a[r] * by[r];
            }
            for (int j = nf_; j < size; ++j) std::fill_n(k(h, j), width, 0.0);
            for (int r = 0; r < width; ++r) k(h, size)[r] = -values_[c][r] * by[r];
        }
        double *exchange = scratch_[0], *factor = scratch_[1];
        for (int i = 0; i < size; ++i)
            for (int j = i + 1; j < size; ++j) {
                const bool any = choose(k(i, i), k(j, i), exchange, factor);
                for (int q = i + 1; q <= size; ++q)
                    if (any)
                        eliminate(k(i, q), k(j, q), exchange, factor);
                    else
                        take_product(k(j, q), factor, k(i, q));
            }
        for (int i = size - 1; i >= 0; --i) {
            double* right = k(i, size);
            for (int q = i + 1; q < size; ++q) take_product(right, k(i, q), k(q, size));
            for (int r = 0; r < width; ++r) right[r] /= k(i, i)[r];
            if (i < nf_)
                std::copy_n(right, width, step_[i]);
            else
                for (int r = 0; r < width; ++r)
                    lam_[i - nf_][r] = right[r] * per_force_[i - nf_][r];
        }
    }

    // One step of all rows that have not arrived; false if there is none. Those that have stay, so
    // that a row does not depend on when its neighbours arrive.
    bool move() {
        double *square = scratch_[0], *along = scratch_[1], *unit = scratch_[2];
        measure(square);
        bool any = false;
        for (int r = 0; r < width; ++r) any = any || square[r] > arrived * arrived;
        if (!any) return false;
        for (int i = 0; i < nf_; ++i) {
            double* s = step_[i];
            for (int r = 0; r < width; ++r)
                s[r] = square[r] > arrived * arrived ? std::min(std::max(s[r], -longest), longest)
                                                     : 0.0;
        }
        find_pull(before_);
        for (int i = 0; i < nf_; ++i) {
            double* at = table_[free_[index(i)]];
            for (int r = 0; r < width; ++r) at[r] += step_[i][r];
        }
        evaluate(true);
        // Powell's symmetric update of Broyden: the rank-one update divides by what may vanish.
        // Steps as small as rounding say nothing of the Hessian.
        find_pull(after_);
        for (int k = 0; k < nf_; ++k) {  // after_ becomes what the Hessian did not foresee
            for (int r = 0; r < width; ++r) after_[k][r] -= before_[k][r];
            for (int j = 0; j < nf_; ++j) take_product(after_[k], hessian(k, j), step_[j]);
        }
        measure(square);
        for (int r = 0; r < width; ++r)
            unit[r] = square[r] > telling * telling ? 1.0 / square[r] : 0.0;
        std::fill_n(along, width, 0.0);
        for (int k = 0; k < nf_; ++k) {
            for (int r = 0; r < width; ++r) before_[k][r] = step_[k][r] * unit[r];
            add_product(along, after_[k], before_[k]);
        }
        for (int k = 0; k < nf_; ++k)
            for (int j = 0; j < nf_; ++j) {
                double* h = hessian(k, j);
                const double *rk = after_[k], *rj = after_[j], *uk = before_[k], *uj = before_[j];
                const double* s = step_[j];
                for (int r = 0; r < width; ++r)
                    h[r] += rk[r] * uj[r] + uk[r] * rj[r] - along[r] * uk[r] * s[r];
            }
        return true;
    }

    // The squared length of the step.
    void measure(double* square) {
        std::fill_n(square, width, 0.0);
        for (int i = 0; i < nf_; ++i) add_product(square, step_[i], step_[i]);
    }

    // After find_step() where the rows are. If the next step is none, the linearised conditions hold
    // there; what they say nothing of is whether they determine it, and all inequalities.
    void judge() {
        const int size = nf_ + mh_;
        double* square = scratch_[0];
        measure(square);
        settled_.assign(index(width), 0);
        for (int r = 0; r < width; ++r) {
            const double scale = scale_[0][r], none = arrived * scale;
            bool fine = square[r] <= arrived * arrived && std::isfinite(values_[0][r]);
            for (int i = 0; i < size; ++i)
                fine = fine && std::fabs(system_[i * (size + 2)][r]) > certain * scale;
            for (int j = 0; j < mh_; ++j) fine = fine && lam_[j][r] >= -arrived * per_force_[j][r];
            for (int i = 0; i < n_; ++i) {
                const double at = table_[i][r], low = problem_.low[index(i)],
                             high = problem_.high[index(i)];
                double pull = gradient(0, i)[r];
                for (int j = 0; j < mh_; ++j)
                    pull += lam_[j][r] * gradient(1 + held_[index(j)], i)[r];
                fine = fine && at >= low && at <= high && !std::isnan(pull);
                if (!problem_.inside[index(i)])
                    fine = fine && (at <= low || pull <= none) && (at >= high || pull >= -none);
            }
            // Violations are measured by how far one must go to meet a constraint.
            double least = 1.0;
            for (int c = 0; c < m_; ++c) least = std::min(least, steepness(c, r));
            const double tolerance = std::max(feasible, 1e-15 / least);
            for (int c = 0; c < m_; ++c)
                fine = fine && values_[1 + c][r] / steepness(c, r) <= tolerance;
            settled_[index(r)] = fine;
        }
        if (mh_ < nf_) check_curvature();
    }

    double steepness(int constraint, int r) {
        double found = tiny;
        for (int i = 0; i < n_; ++i) {
            const double slope = std::fabs(gradient(1 + constraint, i)[r]);
            if (slope > found || std::isnan(slope)) found = slope;  // then nothing is greater
        }
        return found;
    }

    // Unsettles rows at a saddle: the Hessian must be positive along the held constraints, that is,
    // as a whole after much is added along their normals.
    void check_curvature() {
        const auto k = [&](int i, int j) { return system_[i * nf_ + j]; };
        double *weight = scratch_[0], *scaled = scratch_[1], *by = scratch_[2];
        std::fill_n(weight, width, 0.0);
        for (int i = 0; i < nf_ * nf_; ++i) {
            raise_to(weight, hessian_[i]);
            std::copy_n(hessian_[i], width, system_[i]);
        }
        for (int h = 0; h < mh_; ++h) {
            const int c = 1 + held_[index(h)];
            std::fill_n(by, width, 0.0);
            for (const int i : free_) add_product(by, gradient(c, i), gradient(c, i));
            for (int r = 0; r < width; ++r) by[r] = 1e3 * weight[r] / std::max(by[r], tiny);
            for (int i = 0; i < nf_; ++i) {
                const double* a = gradient(c, free_[index(i)]);
                for (int r = 0; r < width; ++r) scaled[r] = by[r] * a[r];
                for (int j = 0; j < nf_; ++j)
                    add_product(k(i, j), scaled, gradient(c, free_[index(j)]));
            }
        }
        double* factor = scratch_[0];
        for (int i = 0; i < nf_; ++i) {
            for (int r = 0; r < width; ++r)
                if (!(k(i, i)[r] > 0.0)) settled_[index(r)] = 0;
            for (int j = i + 1; j < nf_; ++j) {
                divide(factor, k(j, i), k(i, i));
                for (int q = i + 1; q < nf_; ++q) take_product(k(j, q), factor, k(i, q));
            }
        }
    }

    const FollowProblem& problem_;
    int n_, m_;
    std::vector<int> free_, held_;
    int nf_, mh_, first_derived_;
    Lanes table_;      // all columns: planned, by draw, by start, derived
    Lanes values_;     // (1 + m,)
    Lanes gradients_;  // (1 + m, n)
    Lanes kept_values_, kept_gradients_;
    Lanes hessian_;  // (nf, nf) of the Lagrangian
    Lanes step_, lam_, before_, after_;
    Lanes system_;     // (nf + mh, nf + mh + 1), eliminated
    Lanes scale_;      // of the equations: the largest slope or curvature of the objective
    Lanes per_force_;  // (mh,) of a multiplier per force at that scale
    Lanes scratch_;
    Buffer ones_;
    std::vector<std::unique_ptr<Function>> derived_, functions_;
    std::vector<char> settled_;
    std::int64_t evaluations_ = 0;
};

}  // namespace

Follow::Follow(const FollowProblem& problem) : problem_(problem) {
    const std::size_t n = problem.planned.size();
    const auto require = [](bool condition, const char* message) {
        if (!condition) throw std::invalid_argument(std::string("follow: ") + message);
    };
    require(problem.low.size() == n && problem.high.size() == n && problem.inside.size() == n,
            "expected bounds and a state for every planned variable");
    require(!problem.functions.empty() && problem.binding.size() + 1 == problem.functions.size(),
            "expected an objective, and a state for every constraint");
    require(problem.starts > 0 && problem.draws >= 0 &&
                problem.group.size() == index(problem.starts),
            "expected a group for every start");
    for (const int g : problem.group) require(g >= 0 && g < problem.groups, "a group is too large");

    std::map<std::string, int> known;
    const auto add = [&](const std::string& name) {
        known.emplace(name, static_cast<int>(known.size()));
    };
    const auto read = [&](const Program& program) {
        require(program.parameter_count() == static_cast<int>(n),
                "a program must have one parameter per planned variable");
        std::vector<int> found;
        for (const std::string& name : program.columns()) {
            const auto at = known.find(name);
            if (at == known.end())
                throw std::invalid_argument("follow: there is no column \"" + name + "\"");
            found.push_back(at->second);
        }
        sources_.push_back(std::move(found));
    };
    for (const std::string& name : problem.planned) add(name);
    for (const auto& column : problem.by_draw) add(column.name);
    for (const auto& column : problem.by_start) add(column.name);
    for (const auto& column : problem.derived) {
        read(*column.program);
        add(column.name);
    }
    require(known.size() ==
                n + problem.by_draw.size() + problem.by_start.size() + problem.derived.size(),
            "a column is given twice");
    for (const Program* program : problem.functions) read(*program);
    draws_per_task_ = std::max(1L, task_rows / problem.starts);
    tasks_ = (problem.draws + draws_per_task_ - 1) / draws_per_task_;
}

FollowResult Follow::run(int threads, Monitor& monitor) const {
    const FollowProblem& p = problem_;
    const std::size_t n = p.planned.size(), places = index(p.draws) * index(p.groups);
    FollowResult result;
    result.best.assign(places, -1);
    result.objective.assign(places, infinity);
    result.x.assign(places * n, std::numeric_limits<double>::quiet_NaN());
    const int workers =
        static_cast<int>(std::min<long>(thread_count(threads), std::max(tasks_, 1L)));
    std::vector<std::unique_ptr<Newton>> made(index(workers));
    std::vector<std::vector<std::int64_t>> unsettled(index(tasks_));
    parallel_for(tasks_, workers, monitor, [&](long task, int w) {
        auto& worker = made[index(w)];
        if (!worker) worker = std::make_unique<Newton>(p, sources_);
        const std::int64_t first = task * draws_per_task_ * p.starts;
        const std::int64_t end = std::min((task + 1) * draws_per_task_, p.draws) * p.starts;
        for (std::int64_t row = first; row < end; row += width) {
            const int rows = static_cast<int>(std::min<std::int64_t>(width, end - row));
            worker->solve(row, rows);
            for (int r = 0; r < rows; ++r) {
                const std::int64_t draw = (row + r) / p.starts, start = (row + r) % p.starts;
                if (!worker->settled(r)) {
                    unsettled[index(task)].push_back(row + r);
                    continue;
                }
                const std::size_t place =
                    index(draw) * index(p.groups) + index(p.group[index(start)]);
                if (!(worker->objective()[r] < result.objective[place])) continue;
                result.objective[place] = worker->objective()[r];
                result.best[place] = start;
                for (std::size_t i = 0; i < n; ++i)
                    result.x[place * n + i] = worker->x(static_cast<int>(i))[r];
            }
        }
    });
    for (const auto& rows : unsettled)
        result.unsettled.insert(result.unsettled.end(), rows.begin(), rows.end());
    for (const auto& worker : made)
        if (worker) result.evaluations += worker->evaluations();
    result.interrupted = monitor.stopped();
    return result;
}

}  // namespace lawfit
