#include <lawfit/objective/objective.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <tuple>

#include "tail.hpp"

namespace lawfit {
namespace {

// Some 30 microseconds of work at least: less is not worth handing to a thread.
constexpr int chunk_rows = 16 * block_rows;

// Coordinates up to which zeros in the second derivatives are not worth avoiding.
constexpr int most_full = 64;

std::size_t index(int i) { return static_cast<std::size_t>(i); }
std::ptrdiff_t offset(int i, int stride) { return static_cast<std::ptrdiff_t>(i) * stride; }

void require(bool condition, const char* message) {
    if (!condition) throw std::invalid_argument(message);
}

RowLayout layout_of(const Objective::Data& data) {
    require(data.rows > 0, "objective: no rows");
    if (data.segment_rows.empty()) return RowLayout(data.rows);
    require(static_cast<int>(data.order.size()) == data.rows, "objective: one place per row");
    return RowLayout(data.order, data.segment_rows);
}

// The lower triangle by rows.
void pack(const Matrix& symmetric, double* out) {
    for (Eigen::Index p = 0; p < symmetric.rows(); ++p)
        for (Eigen::Index q = 0; q <= p; ++q) *out++ = symmetric(p, q);
}

Buffer gathered(const RowLayout& layout, const double* values) {
    Buffer out(index(layout.padded()));
    for (const RowLayout::Block& block : layout.blocks())
        layout.gather(values, block, out.data() + block.begin);
    return out;
}

}  // namespace

bool loss_kind_from_name(const std::string& name, LossKind& kind) {
    if (name == "squared")
        kind = LossKind::squared;
    else if (name == "linear")
        kind = LossKind::linear;
    else if (name == "cauchy")
        kind = LossKind::cauchy;
    else if (name == "logcosh")
        kind = LossKind::logcosh;
    else
        return false;
    return true;
}

Objective::Objective(std::shared_ptr<const Program> program, const Data& data, const Terms& terms,
                     Parameterisation parameterisation, Bounds bounds,
                     std::vector<Penalty> penalties)
    : program_(std::move(program)),
      columns_(*program_, data.columns, layout_of(data)),
      terms_(terms),
      parameterisation_(std::move(parameterisation)),
      bounds_(std::move(bounds)),
      penalties_(std::move(penalties)) {
    require(
        parameterisation_.source.size() ==
                index(layout().segment_count()) * index(program_->parameter_count()) &&
            parameterisation_.value.size() == parameterisation_.source.size(),
        "objective: one source and one value per segment and parameter of the program are needed");
    for (const int s : parameterisation_.source)
        require(s >= -1 && s < parameterisation_.free_count, "objective: a source does not exist");
    require(bounds_.lower.size() == dimension() && bounds_.upper.size() == dimension() &&
                bounds_.typical.size() == dimension(),
            "objective: one bound and one typical size per free parameter are needed");
    require((bounds_.lower.array() <= bounds_.upper.array()).all(),
            "objective: a lower bound is above its upper bound");
    require((bounds_.typical.array() > 0).all(), "objective: typical sizes must be positive");

    target_ = gathered(layout(), data.target);
    if (data.target_transform != Opcode::count_) {
        require(is_unary(data.target_transform), "objective: the target's transform is not unary");
        const auto transform =
            kernels::active().unary_forward[static_cast<int>(data.target_transform)];
        Buffer before(index(layout().largest_block()));
        for (const RowLayout::Block& block : layout().blocks()) {
            double* values = target_.data() + block.begin;
            std::copy_n(values, block.size, before.begin());
            transform(block.size, before.data(), values);
        }
    }
    if (data.weight) {
        weight_ = gathered(layout(), data.weight);
        for (const RowLayout::Block& block : layout().blocks())
            std::fill_n(weight_.begin() + block.begin + block.rows, block.size - block.rows, 0.0);
    }
    if (data.sigma) {
        row_factor_ = gathered(layout(), data.sigma);
        for (double& f : row_factor_) f = 1.0 / f;
    }
    if (data.side) {
        require(!terms_.scale_is_fitted || has_tail(terms_.loss),
                "objective: under this loss a censored row has no likelihood");
        side_ = gathered(layout(), data.side);
    }
    for (const Penalty& penalty : penalties_) {
        require(penalty.index.size() == penalty.coefficient.size(),
                "objective: a penalty needs one coefficient per index");
        for (const int i : penalty.index)
            require(i >= 0 && i < dimension(), "objective: a penalty's index does not exist");
    }
    find_coordinates();
    find_pattern();
    cut_into_chunks();
}

void Objective::find_coordinates() {
    const int parameters = program_->parameter_count();
    leaves_are_parameters_ = std::all_of(program_->leaves().begin(), program_->leaves().end(),
                                         [&](int slot) { return slot < parameters; });
    std::vector<int> column_parameter;
    if (leaves_are_parameters_)
        column_parameter = program_->leaves();
    else
        for (int k = 0; k < parameters; ++k) column_parameter.push_back(k);
    local_count_ = static_cast<int>(column_parameter.size()) + (terms_.scale_is_fitted ? 1 : 0);
    for (int s = 0; s < layout().segment_count(); ++s) {
        const int* source = parameterisation_.source.data() + offset(s, parameters);
        for (const int k : column_parameter) coordinates_.push_back(source[k]);
        if (terms_.scale_is_fitted) coordinates_.push_back(dimension() - 1);
    }
}

void Objective::find_pattern() {
    const int n = dimension(), segments = layout().segment_count();
    const auto for_each_pair = [&](auto body) {
        for (int s = 0; s < segments; ++s)
            for (int p = 0; p < local_count_; ++p)
                for (int q = 0; q <= p; ++q) body(coordinates(s)[p], coordinates(s)[q]);
    };
    if (segments > 1 && n > most_full) {
        std::vector<std::pair<int, int>> pairs;
        for_each_pair([&](int i, int j) {
            if (i >= 0 && j >= 0) pairs.emplace_back(i, j);
        });
        for (const Penalty& penalty : penalties_)
            for (const int i : penalty.index)
                for (const int j : penalty.index)
                    if (j <= i) pairs.emplace_back(i, j);
        auto found = std::make_shared<SymmetricPattern>(n, pairs);
        if (4.0 * found->count() < 0.5 * n * (n + 1.0)) pattern_ = std::move(found);
    }
    if (!pattern_) pattern_ = std::make_shared<SymmetricPattern>(n);
    for_each_pair(
        [&](int i, int j) { entries_.push_back(i >= 0 && j >= 0 ? pattern_->find(i, j) : -1); });
    for (int s = 0; s < segments; ++s) {
        const int* c = coordinates(s);
        for (int p = 0; p < local_count_; ++p)
            has_ties_ = has_ties_ || (c[p] >= 0 && std::find(c, c + p, c[p]) != c + p);
    }
}

void Objective::cut_into_chunks() {
    const auto& blocks = layout().blocks();
    const int count = static_cast<int>(blocks.size());
    int rows_in_task = chunk_rows;
    for (int b = 0; b < count;) {
        Chunk chunk{b, b, blocks[index(b)].segment};
        int rows = 0;
        while (chunk.end < count && rows < chunk_rows &&
               blocks[index(chunk.end)].segment == chunk.segment)
            rows += blocks[index(chunk.end++)].size;
        if (rows_in_task + rows > chunk_rows) {
            tasks_.push_back(static_cast<int>(chunks_.size()));
            rows_in_task = 0;
        }
        rows_in_task += rows;
        chunks_.push_back(chunk);
        b = chunk.end;
    }
    tasks_.push_back(static_cast<int>(chunks_.size()));
}

struct ObjectiveEvaluator::Lane {
    explicit Lane(const Objective& objective)
        : evaluator(objective.program(), objective.columns()),
          leaves(static_cast<int>(objective.program().leaves().size())) {
        const bool scale = objective.terms().scale_is_fitted;
        const int columns = leaves + (scale ? 1 : 0), local = objective.local_count();
        parameters.setZero(objective.program().parameter_count());
        for (Buffer* b : {&u, &slope, &bend, &curvature, &seed, &scale_column, &counted})
            b->assign(index(objective.layout().largest_block()), 0.0);
        jacobian.resize(index(columns));
        leaf_gradient.resize(index(columns));
        leaf_bend.resize(index(columns * (columns + 1) / 2));
        leaf_curvature.resize(leaf_bend.size());
        second_gram.resize(index(leaves * leaves));
        full.setZero(columns, columns);
        if (objective.leaves_are_parameters()) return;
        chain.setZero(columns, local);
        chain_moved.setZero(columns, local);
        product.setZero(columns, local);
        local_matrix.setZero(local, local);
        local_gradient.setZero(local);
    }

    // d leaf / d parameter at the evaluator's parameters; a fitted scale is its own leaf.
    void find_chain(Matrix& out) {
        const int count = static_cast<int>(parameters.size());
        const double* leaf_jacobian = evaluator.leaf_jacobian();
        for (int l = 0; l < leaves; ++l)
            for (int k = 0; k < count; ++k) out(l, k) = leaf_jacobian[l * count + k];
        if (out.rows() > leaves) out(leaves, count) = 1.0;
    }

    // A leaf that moves no residual passes nothing on, however steep it is itself.
    void drop_still_leaves() {
        for (int l = 0; l < leaves; ++l) {
            if (leaf_gradient[index(l)] != 0.0) continue;
            bool finite = true;
            for (Eigen::Index k = 0; k < chain.cols(); ++k)
                finite = finite && std::isfinite(chain(l, k));
            for (Eigen::Index k = 0; !finite && k < chain.cols(); ++k) chain(l, k) = 0.0;
        }
    }

    // local_matrix = chain' full chain. Plain loops: the matrices are small, and Eigen's products
    // take long to compile.
    void congruence() {
        multiply_transposed(full, chain, product);  // full is symmetric
        multiply_transposed(chain, product, local_matrix);
    }

    // out = a' b
    static void multiply_transposed(const Matrix& a, const Matrix& b, Matrix& out) {
        for (Eigen::Index j = 0; j < b.cols(); ++j)
            for (Eigen::Index i = 0; i < a.cols(); ++i) {
                double sum = 0.0;
                for (Eigen::Index k = 0; k < a.rows(); ++k) sum += a(k, i) * b(k, j);
                out(i, j) = sum;
            }
    }
    // local_gradient = a' g
    void multiply_transposed(const Matrix& a, const double* g) {
        for (Eigen::Index i = 0; i < a.cols(); ++i) {
            local_gradient[i] = 0.0;
            for (Eigen::Index k = 0; k < a.rows(); ++k) local_gradient[i] += a(k, i) * g[k];
        }
    }

    Evaluator evaluator;
    int leaves;
    int segment = -1;  // whose parameters the evaluator has
    int block = -1;    // whose values and residuals are here
    Vector parameters;
    Buffer u, slope, bend, curvature, seed, scale_column;  // (largest block,)
    Buffer counted;                                        // (largest block,), weights that count
    std::vector<const double*> jacobian;                   // (leaf columns,)
    std::vector<double> leaf_gradient;                     // of a chunk
    std::vector<double> leaf_bend, leaf_curvature;         // of a chunk, packed
    std::vector<double> second_gram;                       // (leaves, leaves)
    Matrix full;                                           // (leaf columns, leaf columns)
    // Only where leaves are functions of parameters:
    Matrix chain, chain_moved, product;  // (leaf columns, local_count)
    Matrix local_matrix;                 // (local_count, local_count)
    Vector local_gradient;
};

ObjectiveEvaluator::ObjectiveEvaluator(const Objective& objective, int threads,
                                       Interrupt* interrupt)
    : objective_(objective),
      loss_(objective.terms().loss),
      monitor_(interrupt ? Monitor::Poll([interrupt](long) { return !interrupt->requested(); })
                         : Monitor::Poll(),
               Monitor::Period(5)) {
    point_.setZero(dimension());
    ones_.assign(index(objective.layout().largest_block() + kernels::row_multiple), 0.0);
    std::fill(ones_.begin(), ones_.end() - kernels::row_multiple, 1.0);
    const int lanes = std::max(1, std::min(threads, objective.task_count()));
    for (int i = 0; i < lanes; ++i) lanes_.push_back(std::make_unique<Lane>(objective));
    const auto chunks = objective.chunks().size();
    values_.resize(chunks);
    gradients_.resize(chunks * index(objective.local_count()));
    bends_.resize(chunks * index(objective.packed_count()));
    curvatures_.resize(bends_.size());
    set_weight(nullptr);
    set_target(nullptr);
}

ObjectiveEvaluator::~ObjectiveEvaluator() = default;

// work(lane, chunk) for every chunk; stopped_ says whether some were left out.
template <class Work>
void ObjectiveEvaluator::for_each_chunk(Work work) {
    const std::vector<int>& tasks = objective_.tasks();
    if (objective_.task_count() == 1) {
        for (int c = 0; c < tasks[1]; ++c) work(*lanes_[0], c);
        return;
    }
    parallel_for(objective_.task_count(), static_cast<int>(lanes_.size()), monitor_,
                 [&](long task, int lane) {
                     const auto t = static_cast<std::size_t>(task);
                     for (int c = tasks[t]; c < tasks[t + 1]; ++c) work(*lanes_[index(lane)], c);
                 });
    stopped_ = monitor_.stopped();
}

// The sum of term(lane, block) over all blocks.
template <class Term>
double ObjectiveEvaluator::sum_over_blocks(Term term) {
    for_each_chunk([&](Lane& lane, int c) {
        const Objective::Chunk& chunk = objective_.chunks()[index(c)];
        double total = 0.0;
        for (int b = chunk.begin; b < chunk.end; ++b) total += term(lane, b);
        values_[index(c)] = total;
    });
    double total = 0.0;
    for (const double v : values_) total += v;
    return total;
}

void ObjectiveEvaluator::set_weight(const double* weight) {
    const Buffer& own = objective_.weight();
    weight_ = weight ? weight : (own.empty() ? nullptr : own.data());
    bent_ = false;
    find_weightless();
    const Buffer& side = objective_.side();
    total_weight_ = objective_.rows();
    if (!weight_ && side.empty()) return;
    total_weight_ = 0.0;
    for (const RowLayout::Block& block : objective_.layout().blocks()) {
        const double* w = weights_of(block, weight_);
        for (int i = 0; i < block.size; ++i)
            if (side.empty() || side[index(block.begin + i)] == 0.0) total_weight_ += w[i];
    }
}

// Weights of a block, (size,), zero in the padding.
const double* ObjectiveEvaluator::weights_of(const RowLayout::Block& block,
                                             const double* weight) const {
    return weight ? weight + block.begin
                  : ones_.data() + ones_.size() - kernels::row_multiple - block.rows;
}

// The weights with 0 for the censored rows whose loss does not count; residuals must be there.
const double* ObjectiveEvaluator::counted(Lane& lane, const RowLayout::Block& block,
                                          const double* weight) const {
    const double* w = weights_of(block, weight);
    if (objective_.side().empty()) return w;
    const double* side = objective_.side().data() + block.begin;
    const bool tails = has_tails();
    for (int i = 0; i < block.size; ++i)
        lane.counted[index(i)] =
            side[i] == 0.0 || (!tails && side[i] * lane.u[index(i)] < 0.0) ? w[i] : 0.0;
    return lane.counted.data();
}

bool ObjectiveEvaluator::has_tails() const {
    return objective_.terms().scale_is_fitted && !objective_.side().empty();
}

// The terms of the censored rows under a fitted scale.
double ObjectiveEvaluator::tail_sum() {
    const Tail tail(loss_);
    return sum_over_blocks([&](Lane& lane, int b) {
        const RowLayout::Block& block = objective_.layout().blocks()[index(b)];
        bring_residuals(lane, b);
        const double* side = objective_.side().data() + block.begin;
        const double* w = weights_of(block, weight_);
        double total = 0.0;
        for (int i = 0; i < block.size; ++i)
            if (side[i] != 0.0 && w[i] != 0.0)
                total += w[i] * tail.at(lane.u[index(i)], side[i]).value;
        return total;
    });
}

// Slopes of the loss in a block, in lane.slope, and what else is not null. Returns the loss where there
// is bend, without tails.
double ObjectiveEvaluator::slopes(Lane& lane, const RowLayout::Block& block, double* bend,
                                  double* curvature) {
    const double value = kernels::active().loss_slopes(block.size, &loss_, lane.u.data(),
                                                       counted(lane, block, weight_),
                                                       lane.slope.data(), bend, curvature);
    if (!has_tails()) return value;
    const Tail tail(loss_);
    const double* side = objective_.side().data() + block.begin;
    const double* w = weights_of(block, weight_);
    for (int i = 0; i < block.size; ++i) {
        if (side[i] == 0.0) continue;
        Tail::Term t;
        if (w[i] != 0.0) t = tail.at(lane.u[index(i)], side[i]);
        lane.slope[index(i)] = w[i] * t.slope;
        if (bend) bend[i] = t.value > 0.0 ? w[i] * t.slope * t.slope / (2.0 * t.value) : 0.0;
        if (curvature) curvature[i] = w[i] * t.curvature;
    }
    return value;
}

// Adds the derivatives of the penalties at the point; their second derivatives do not move.
void ObjectiveEvaluator::add_penalties(Vector* gradient, SymmetricMatrix* matrix) const {
    for (const Objective::Penalty& penalty : objective_.penalties()) {
        const double r = penalty.residual(point_);
        for (std::size_t p = 0; p < penalty.index.size(); ++p) {
            const int i = penalty.index[p];
            if (gradient) (*gradient)[i] += r * penalty.coefficient[p];
            for (std::size_t q = 0; matrix && q < penalty.index.size(); ++q)
                if (penalty.index[q] <= i)
                    matrix->values()[objective_.pattern()->find(i, penalty.index[q])] +=
                        penalty.coefficient[p] * penalty.coefficient[q];
        }
    }
}

void ObjectiveEvaluator::set_point(const Vector& x) {
    point_ = x;
    for (auto& lane : lanes_) lane->segment = lane->block = -1;
    bent_ = false;
    log_scale_ = objective_.terms().scale_is_fitted ? x[dimension() - 1] : 0.0;
    factor_ = log_scale_ == 0.0 ? 1.0 : std::exp(-log_scale_);
}

// Gives the lane the parameters of a segment.
void ObjectiveEvaluator::enter(Lane& lane, int segment) {
    if (lane.segment == segment) return;
    lane.segment = segment;
    objective_.parameterisation().find(point_, segment, static_cast<int>(lane.parameters.size()),
                                       lane.parameters.data());
    lane.evaluator.set_parameters(lane.parameters.data());
}

// Makes the registers and residuals those of a block.
void ObjectiveEvaluator::bring_residuals(Lane& lane, int b) {
    if (lane.block == b) return;
    const RowLayout::Block& block = objective_.layout().blocks()[index(b)];
    const Buffer& row_factor = objective_.row_factor();
    enter(lane, block.segment);
    lane.evaluator.residuals(b,
                             {target_ + block.begin, factor_,
                              row_factor.empty() ? nullptr : row_factor.data() + block.begin},
                             lane.u.data());
    lane.block = b;
}

double ObjectiveEvaluator::value(const Vector& x) {
    ++evaluations_;
    set_point(x);
    double total = 0.0;
    if (objective_.layout().blocks().size() == 1) {
        // Slopes cost little more, and they are still there when derivatives are asked for.
        Lane& lane = *lanes_[0];
        bring_residuals(lane, 0);
        total = slopes(lane, objective_.layout().blocks()[0], lane.bend.data(), nullptr);
        bent_ = true;
    } else {
        total = residual_sum(loss_, true);
    }
    if (has_tails()) total += tail_sum();
    if (objective_.terms().scale_is_fitted)
        total += total_weight_ * (log_scale_ + objective_.terms().log_normaliser);
    for (const Objective::Penalty& penalty : objective_.penalties()) {
        const double r = penalty.residual(x);
        total += 0.5 * r * r;
    }
    return std::isfinite(total) && !stopped_ ? total : std::numeric_limits<double>::infinity();
}

double ObjectiveEvaluator::residual_sum(const LossSpec& loss, bool weighted) {
    return sum_over_blocks([&](Lane& lane, int b) {
        const RowLayout::Block& block = objective_.layout().blocks()[index(b)];
        bring_residuals(lane, b);
        return kernels::active().loss_value(block.size, &loss, lane.u.data(),
                                            counted(lane, block, weighted ? weight_ : nullptr));
    });
}

void ObjectiveEvaluator::residuals(double* out) {
    Lane& lane = *lanes_[0];
    const auto& blocks = objective_.layout().blocks();
    for (int b = 0; b < static_cast<int>(blocks.size()); ++b) {
        bring_residuals(lane, b);
        kernels::active().scale(blocks[index(b)].size, 1.0 / factor_, lane.u.data(),
                                out + blocks[index(b)].begin, false);
    }
}

void ObjectiveEvaluator::add_scores(const int* row_of, Matrix& scores) {
    const kernels::KernelTable& k = kernels::active();
    const Buffer& row_factor = objective_.row_factor();
    const bool direct = objective_.leaves_are_parameters();
    const bool scale = objective_.terms().scale_is_fitted;
    const int local = objective_.local_count() - (scale ? 1 : 0);
    Lane& lane = *lanes_[0];
    const auto& blocks = objective_.layout().blocks();
    for (int b = 0; b < static_cast<int>(blocks.size()); ++b) {
        const RowLayout::Block& block = blocks[index(b)];
        const double* weight = weights_of(block, weight_);
        bring_residuals(lane, b);
        bent_ = false;
        k.loss_slopes(block.size, &loss_, lane.u.data(), weight, lane.slope.data(), nullptr,
                      nullptr);
        if (row_factor.empty())
            std::fill_n(lane.seed.begin(), block.size, factor_);
        else
            k.scale(block.size, factor_, row_factor.data() + block.begin, lane.seed.data(), false);
        const double* const* leaf = lane.evaluator.reverse(b, lane.seed.data());
        if (!direct) lane.find_chain(lane.chain);
        const int* coordinate = objective_.coordinates(block.segment);
        for (int i = 0; i < block.rows; ++i) {
            if (weight[i] == 0.0) continue;
            const double slope = lane.slope[index(i)];
            auto row = scores.row(row_of[block.begin + i]);
            for (int c = 0; c < local; ++c) {
                if (coordinate[c] < 0) continue;
                double d = 0.0;
                if (direct)
                    d = leaf[c][i];
                else
                    for (int l = 0; l < lane.leaves; ++l)
                        if (leaf[l][i] != 0.0) d += leaf[l][i] * lane.chain(l, c);
                if (d != 0.0) row[coordinate[c]] += slope * d;
            }
            if (scale) row[dimension() - 1] += weight[i] - slope * lane.u[index(i)];
        }
    }
}

double ObjectiveEvaluator::rounding_floor() {
    const Buffer& row_factor = objective_.row_factor();
    return sum_over_blocks([&](Lane& lane, int b) {
        const RowLayout::Block& block = objective_.layout().blocks()[index(b)];
        for (int i = 0; i < block.size; ++i) {
            const auto place = index(block.begin + i);
            const double f = row_factor.empty() ? 1.0 : row_factor[place];
            lane.seed[index(i)] = 4.4e-16 * std::fabs(target_[place]) * f;
        }
        return kernels::active().loss_value(block.size, &loss_, lane.seed.data(),
                                            weights_of(block, weight_));
    });
}

void ObjectiveEvaluator::derivatives(Vector& gradient, SymmetricMatrix* bend,
                                     SymmetricMatrix* curvature) {
    sum_derivatives(gradient, bend, curvature, false);
}

void ObjectiveEvaluator::hessian(Vector& gradient, SymmetricMatrix& hessian,
                                 SymmetricMatrix& scratch) {
    const bool one_pass = lanes_[0]->evaluator.has_term_curvature() && unit_seeds() &&
                          objective_.leaves_are_parameters() && !objective_.terms().scale_is_fitted;
    sum_derivatives(gradient, nullptr, &hessian, one_pass);
    if (one_pass) return;
    second_order(scratch);
    hessian += scratch;
}

// Whether the residuals move with the value one to one.
bool ObjectiveEvaluator::unit_seeds() const {
    return factor_ == 1.0 && objective_.row_factor().empty();
}

// exact: with the second-order part in `curvature`.
void ObjectiveEvaluator::sum_derivatives(Vector& gradient, SymmetricMatrix* bend,
                                         SymmetricMatrix* curvature, bool exact) {
    for_each_chunk([&](Lane& lane, int c) {
        add_derivatives(lane, c, bend != nullptr, curvature != nullptr, exact);
    });
    gradient.setZero(dimension());
    const int local = objective_.local_count();
    const double* g = gradients_.data();
    for (const Objective::Chunk& chunk : objective_.chunks()) {
        const int* coordinate = objective_.coordinates(chunk.segment);
        for (int p = 0; p < local; ++p)
            if (coordinate[p] >= 0) gradient[coordinate[p]] += g[p];
        g += local;
    }
    if (objective_.terms().scale_is_fitted) gradient[dimension() - 1] += total_weight_;
    add_penalties(&gradient, nullptr);
    for (const auto& [matrix, packed] :
         {std::pair(bend, &bends_), std::pair(curvature, &curvatures_)}) {
        if (!matrix) continue;
        scatter(*packed, *matrix);
        add_penalties(nullptr, matrix);
        for (const int i : weightless_) {
            const double typical = objective_.bounds().typical[i];
            matrix->values()[objective_.pattern()->begin(i)] += 1.0 / (typical * typical);
        }
    }
}

void ObjectiveEvaluator::add_derivatives(Lane& lane, int c, bool bend, bool curvature, bool exact) {
    const kernels::KernelTable& k = kernels::active();
    const Objective::Chunk& chunk = objective_.chunks()[index(c)];
    const Buffer& row_factor = objective_.row_factor();
    const int columns = static_cast<int>(lane.jacobian.size());
    const int local = objective_.local_count();
    double* out_gradient = gradients_.data() + offset(c, local);
    double* out_bend = bends_.data() + offset(c, objective_.packed_count());
    double* out_curvature = curvatures_.data() + offset(c, objective_.packed_count());
    // Where leaves are parameters their sums are the chunk's.
    const bool direct = objective_.leaves_are_parameters();
    double* leaf_gradient = direct ? out_gradient : lane.leaf_gradient.data();
    double* leaf_bend = direct ? out_bend : lane.leaf_bend.data();
    double* leaf_curvature = direct ? out_curvature : lane.leaf_curvature.data();
    const int entries = columns * (columns + 1) / 2;
    std::fill_n(leaf_gradient, columns, 0.0);
    if (bend) std::fill_n(leaf_bend, entries, 0.0);
    if (curvature) std::fill_n(leaf_curvature, entries, 0.0);
    if (exact) std::fill(lane.second_gram.begin(), lane.second_gram.end(), 0.0);
    for (int b = chunk.begin; b < chunk.end; ++b) {
        const RowLayout::Block& block = objective_.layout().blocks()[index(b)];
        const int n = block.size;
        bring_residuals(lane, b);
        if (curvature || !bent_)
            slopes(lane, block, bend ? lane.bend.data() : nullptr,
                   curvature ? lane.curvature.data() : nullptr);
        if (exact) {
            lane.evaluator.add_term_curvature(b, lane.slope.data(), lane.second_gram.data());
            k.scale(n, -1.0, lane.slope.data(), lane.curvature.data(), true);
        }
        if (!row_factor.empty())
            k.scale(n, factor_, row_factor.data() + block.begin, lane.seed.data(), false);
        else if (factor_ != 1.0)
            std::fill_n(lane.seed.begin(), n, factor_);
        const double* const* leaf =
            lane.evaluator.reverse(b, unit_seeds() ? nullptr : lane.seed.data());
        std::copy(leaf, leaf + lane.leaves, lane.jacobian.begin());
        if (columns > lane.leaves) {
            k.scale(n, -1.0, lane.u.data(), lane.scale_column.data(), false);
            lane.jacobian[index(lane.leaves)] = lane.scale_column.data();
        }
        const double* slope = lane.slope.data();  // null once the gradient has it
        for (const auto& [wanted, weight, gram] :
             {std::tuple(bend, &lane.bend, leaf_bend),
              std::tuple(curvature, &lane.curvature, leaf_curvature)}) {
            if (!wanted) continue;
            k.gram(n, columns, lane.jacobian.data(), weight->data(), gram, slope, leaf_gradient);
            slope = nullptr;
        }
        for (int j = 0; slope && j < columns; ++j)
            leaf_gradient[j] += k.dot(n, slope, lane.jacobian[index(j)]);
    }
    for (int l = 0; exact && l < lane.leaves; ++l)
        for (int m = 0; m <= l; ++m)
            leaf_curvature[l * (l + 1) / 2 + m] += lane.second_gram[index(l * lane.leaves + m)];
    if (direct) return;
    lane.find_chain(lane.chain);
    lane.drop_still_leaves();
    lane.multiply_transposed(lane.chain, leaf_gradient);
    std::copy_n(lane.local_gradient.data(), local, out_gradient);
    for (const auto& [wanted, from, to] : {std::tuple(bend, leaf_bend, out_bend),
                                           std::tuple(curvature, leaf_curvature, out_curvature)}) {
        if (!wanted) continue;
        for (int p = 0; p < columns; ++p)
            for (int q = 0; q <= p; ++q)
                lane.full(p, q) = lane.full(q, p) = from[p * (p + 1) / 2 + q];
        lane.congruence();
        pack(lane.local_matrix, to);
    }
}

void ObjectiveEvaluator::second_order(SymmetricMatrix& second) {
    for_each_chunk([&](Lane& lane, int c) { add_second_order(lane, c); });
    scatter(bends_, second);
}

void ObjectiveEvaluator::add_second_order(Lane& lane, int c) {
    const kernels::KernelTable& k = kernels::active();
    const Objective::Chunk& chunk = objective_.chunks()[index(c)];
    const Buffer& row_factor = objective_.row_factor();
    const int leaves = lane.leaves;
    const bool direct = objective_.leaves_are_parameters();
    const bool scale = objective_.terms().scale_is_fitted;
    std::fill(lane.leaf_gradient.begin(), lane.leaf_gradient.end(), 0.0);
    std::fill(lane.second_gram.begin(), lane.second_gram.end(), 0.0);
    double scale_curvature = 0.0;
    for (int b = chunk.begin; b < chunk.end; ++b) {
        const RowLayout::Block& block = objective_.layout().blocks()[index(b)];
        const int n = block.size;
        bring_residuals(lane, b);
        slopes(lane, block, nullptr, nullptr);
        if (row_factor.empty())
            k.scale(n, factor_, lane.slope.data(), lane.seed.data(), false);
        else
            k.multiply(n, factor_, lane.slope.data(), row_factor.data() + block.begin,
                       lane.seed.data(), false);
        if (scale) scale_curvature += k.dot(n, lane.slope.data(), lane.u.data());
        lane.evaluator.second_order(b, lane.seed.data(), lane.second_gram.data(),
                                    scale || !direct ? lane.leaf_gradient.data() : nullptr);
    }
    for (int l = 0; l < leaves; ++l)
        for (int m = 0; m <= l; ++m)
            lane.full(l, m) = lane.full(m, l) = 0.5 * (lane.second_gram[index(l * leaves + m)] +
                                                       lane.second_gram[index(m * leaves + l)]);
    if (scale) {  // d2u / ds d leaf = -du / d leaf, d2u / ds2 = u
        for (int l = 0; l < leaves; ++l)
            lane.full(l, leaves) = lane.full(leaves, l) = -lane.leaf_gradient[index(l)];
        lane.full(leaves, leaves) = scale_curvature;
    }
    double* out = bends_.data() + offset(c, objective_.packed_count());
    if (direct) {
        pack(lane.full, out);
        return;
    }
    lane.find_chain(lane.chain);
    lane.drop_still_leaves();
    lane.congruence();
    add_chain_curvature(lane, chunk.segment);
    pack(lane.local_matrix, out);
}

// The leaves' own curvature in the parameters, sum_l g_l d2 leaf_l: no rows in it, so differences
// cost nothing.
void ObjectiveEvaluator::add_chain_curvature(Lane& lane, int segment) {
    const int* coordinate = objective_.coordinates(segment);
    for (int k = 0; k < static_cast<int>(lane.parameters.size()); ++k) {
        if (coordinate[k] < 0) continue;
        const double at = lane.parameters[k];
        const double h = 1e-6 * std::max(1.0, std::fabs(at));
        lane.parameters[k] = at + h;
        lane.evaluator.set_parameters(lane.parameters.data());
        lane.find_chain(lane.chain_moved);
        lane.parameters[k] = at - h;
        lane.evaluator.set_parameters(lane.parameters.data());
        lane.find_chain(lane.chain);
        lane.parameters[k] = at;
        // Half of the derivative of the gradient goes to row k and half to column k.
        for (Eigen::Index i = 0; i < lane.chain.size(); ++i)
            lane.chain_moved.data()[i] -= lane.chain.data()[i];
        lane.multiply_transposed(lane.chain_moved, lane.leaf_gradient.data());
        for (Eigen::Index i = 0; i < lane.local_gradient.size(); ++i) {
            const double change = lane.local_gradient[i] * (0.25 / h);
            lane.local_matrix(i, k) += change;
            lane.local_matrix(k, i) += change;
        }
    }
    lane.evaluator.set_parameters(lane.parameters.data());
}

// Adds up the chunks' matrices, each in the coordinates of its segment.
void ObjectiveEvaluator::scatter(const std::vector<double>& packed, SymmetricMatrix& matrix) const {
    Vector& values = matrix.values();
    values.setZero();
    const int local = objective_.local_count();
    const double* value = packed.data();
    for (const Objective::Chunk& chunk : objective_.chunks()) {
        const int* coordinate = objective_.coordinates(chunk.segment);
        const int* entry = objective_.entries(chunk.segment);
        if (!objective_.has_ties()) {
            const int count = objective_.packed_count();
            for (int e = 0; e < count; ++e)
                if (entry[e] >= 0) values[entry[e]] += value[e];
            value += count;
            continue;
        }
        for (int p = 0; p < local; ++p)
            for (int q = 0; q <= p; ++q, ++entry, ++value) {
                if (*entry < 0) continue;
                // Tied parameters meet on the diagonal, from both triangles.
                const bool both = p != q && coordinate[p] == coordinate[q];
                values[*entry] += both ? 2.0 * *value : *value;
            }
    }
}

void ObjectiveEvaluator::find_weightless() {
    weightless_.clear();
    const RowLayout& layout = objective_.layout();
    if (layout.segment_count() == 1) return;
    std::vector<char> has_weight(index(dimension()), 0);
    for (const Objective::Penalty& penalty : objective_.penalties())
        for (const int i : penalty.index) has_weight[index(i)] = 1;
    for (const RowLayout::Block& block : layout.blocks()) {
        const double* w = weights_of(block, weight_);
        if (!std::any_of(w, w + block.size, [](double x) { return x > 0.0; })) continue;
        const int* coordinate = objective_.coordinates(block.segment);
        for (int p = 0; p < objective_.local_count(); ++p)
            if (coordinate[p] >= 0) has_weight[index(coordinate[p])] = 1;
    }
    for (int i = 0; i < dimension(); ++i)
        if (!has_weight[index(i)]) weightless_.push_back(i);
}

}  // namespace lawfit
