#include <lawfit/search/paths.hpp>

#include <algorithm>
#include <cmath>
#include <utility>

namespace lawfit {
namespace {

// Nearness, in lengths of the step taken there: while all paths end alike, and when not; then no path
// with another end may be within near_others.
constexpr double near_one_end = 0.5, near_several = 0.03, near_others = 1.5;
constexpr double least_trust = 0.05;
// Of all segments together, two per coordinate of a segment. The share of an end leaves room for those
// that are found later.
constexpr std::size_t most_numbers = std::size_t{1} << 20,
                      most_numbers_of_an_end = most_numbers / 2;
constexpr std::size_t most_in_leaf = 16, most_looked_at = 32;

}  // namespace

void Paths::clear() {
    points_.clear();
    segments_.clear();
    kept_.clear();
    one_end_ = true;
    trust_ = 1.0;
    published_ = 0;
    nodes_.clear();
    boxes_.clear();
}

// How far from a path, in lengths of its step, a start may be to be counted to its end.
double Paths::nearness() const { return trust_ * (one_end_ ? near_one_end : near_several); }

// Calls found(segment) for every segment at height f that is within `reach` of its lengths from x,
// until one says true.
template <class Found>
bool Paths::any_within(double reach, const double* x, double f, Found found) const {
    const auto width = static_cast<std::size_t>(2 * (1 + dimension_));
    const double beyond = std::max(0.0, reach - nearness_of_boxes_);
    const double square_reach = reach * reach, first_reach = (1.0 + reach) * (1.0 + reach);
    for (std::size_t n = 0; n < nodes_.size();) {
        const Node& node = nodes_[n];
        const double* box = boxes_.data() + n * width;
        const double margin = beyond * node.longest;
        bool inside = f >= box[0] && f <= box[1];
        for (int i = 0; inside && i < dimension_; ++i)
            inside = x[i] >= box[2 * i + 2] - margin && x[i] <= box[2 * i + 3] + margin;
        n = inside ? n + 1 : node.next;
        if (!inside || !node.is_leaf) continue;
        for (std::size_t k = node.begin; k < node.end; ++k) {
            const Segment& segment = segments_[order_[k]];
            if (f > segment.high || f < segment.low) continue;
            const double* a = points_.data() + segment.at;
            const double* d = a + dimension_;
            double along = 0.0, square = 0.0;
            const double farthest = first_reach * segment.square;  // most are far: see that soon
            for (int i = 0; i < dimension_ && square <= farthest; ++i) {
                const double r = x[i] - a[i];
                along += r * d[i];
                square += r * r;
            }
            if (!(square <= farthest)) continue;
            const double t = std::clamp(along / segment.square, 0.0, 1.0);
            const double distance = square - t * (2.0 * along - t * segment.square);
            if (distance <= square_reach * segment.square && found(segment)) return true;
        }
    }
    return false;
}

long Paths::find(const double* x, const double* step, double f) const {
    if (trust_ < least_trust) return -1;
    long end = -1;
    const auto same_way = [&](const Segment& segment) {
        const double* direction = points_.data() + segment.at + dimension_;
        if (!goes_along(step, direction, segment.square)) return false;
        end = segment.end;
        return true;
    };
    const auto another_end = [&](const Segment& segment) { return segment.end != end; };
    if (!any_within(nearness(), x, f, same_way)) return -1;
    if (!one_end_ && any_within(near_others, x, f, another_end)) return -1;
    return end;
}

// Whether a step has the direction of a segment, within 60 degrees, and a length within a factor 4.
bool Paths::goes_along(const double* step, const double* direction, double square) const {
    double product = 0.0, own = 0.0;
    for (int i = 0; i < dimension_; ++i) {
        product += step[i] * direction[i];
        own += step[i] * step[i];
    }
    return product >= 0.5 * std::sqrt(own * square) && own <= 16.0 * square && square <= 16.0 * own;
}

void Paths::distrust() { trust_ *= 0.25; }

void Paths::add(const Path& path, long end) {
    const auto p = static_cast<std::size_t>(dimension_);
    const bool had_one_end = one_end_;
    // Seen even where nothing more is kept: with it every claim is judged more strictly.
    one_end_ = one_end_ && (segments_.empty() || segments_.front().end == end);
    std::size_t& kept = kept_[end];
    const std::size_t numbers = 2 * p;
    for (std::size_t i = 0; i + 1 < path.f.size(); ++i) {
        if (numbers * kept >= most_numbers_of_an_end || points_.size() >= most_numbers) break;
        const double* a = path.x.data() + i * p;
        if (i > 0) {
            const double* before = a - p;
            for (std::size_t k = 0; k < p; ++k) step_[k] = a[k] - before[k];
            if (find(a, step_.data(), path.f[i]) == end) break;
        }
        Segment segment{end, path.f[i], path.f[i + 1], 0.0, points_.size()};
        for (std::size_t k = 0; k < p; ++k) segment.square += (a[p + k] - a[k]) * (a[p + k] - a[k]);
        if (!(segment.square > 0.0 && std::isfinite(segment.square))) continue;
        points_.insert(points_.end(), a, a + p);
        for (std::size_t k = 0; k < p; ++k) points_.push_back(a[p + k] - a[k]);
        segments_.push_back(segment);
        ++kept;
    }
    if (segments_.size() > 2 * published_ || one_end_ != had_one_end) publish();
}

void Paths::publish() {
    if (published_ == segments_.size() && published_one_end_ == one_end_) return;
    published_ = segments_.size();
    published_one_end_ = one_end_;
    const auto width = static_cast<std::size_t>(2 * (1 + dimension_));
    nearness_of_boxes_ = nearness();
    all_boxes_.resize(width * published_);
    order_.resize(published_);
    for (std::size_t s = 0; s < published_; ++s) {
        order_[s] = s;
        box_of(segments_[s], all_boxes_.data() + s * width);
    }
    nodes_.clear();
    boxes_.clear();
    if (published_ > 0) add_node(0, published_);
    all_boxes_.clear();
}

// Where a point may be of which find() must know the segment.
void Paths::box_of(const Segment& segment, double* box) const {
    const double* a = points_.data() + segment.at;
    const double margin = nearness_of_boxes_ * std::sqrt(segment.square);
    box[0] = segment.low;
    box[1] = segment.high;
    for (int i = 0; i < dimension_; ++i) {
        const double from = a[i], to = from + a[dimension_ + i];
        box[2 * i + 2] = std::min(from, to) - margin;
        box[2 * i + 3] = std::max(from, to) + margin;
    }
}

// Adds the node of these segments in order_ and, below it, two of half as many.
void Paths::add_node(std::size_t begin, std::size_t end) {
    const auto width = static_cast<std::size_t>(2 * (1 + dimension_));
    const std::size_t n = nodes_.size();
    nodes_.push_back({begin, end, 0, 0.0, end - begin <= most_in_leaf});
    for (std::size_t i = 0; i < width; i += 2) boxes_.insert(boxes_.end(), {INFINITY, -INFINITY});
    const auto enclose = [&](const double* box, double length) {
        double* own = boxes_.data() + n * width;
        for (std::size_t i = 0; i < width; i += 2) {
            own[i] = std::min(own[i], box[i]);
            own[i + 1] = std::max(own[i + 1], box[i + 1]);
        }
        nodes_[n].longest = std::max(nodes_[n].longest, length);
    };
    if (nodes_[n].is_leaf) {
        for (std::size_t k = begin; k < end; ++k)
            enclose(all_boxes_.data() + order_[k] * width, std::sqrt(segments_[order_[k]].square));
    } else {
        const std::size_t axis = best_axis(begin, end), middle = begin + (end - begin) / 2;
        const auto at = [&](std::size_t k) {
            return order_.begin() + static_cast<std::ptrdiff_t>(k);
        };
        // By number where they are equal, so that the tree is the same everywhere.
        std::nth_element(at(begin), at(middle), at(end), [&](std::size_t a, std::size_t b) {
            const double* u = all_boxes_.data() + a * width + 2 * axis;
            const double* v = all_boxes_.data() + b * width + 2 * axis;
            const double left = u[0] + u[1], right = v[0] + v[1];
            return left < right || (left == right && a < b);
        });
        for (const auto& half : {std::pair(begin, middle), std::pair(middle, end)}) {
            const std::size_t child = nodes_.size();
            add_node(half.first, half.second);
            enclose(boxes_.data() + child * width, nodes_[child].longest);
        }
    }
    nodes_[n].next = nodes_.size();
}

// The axis along which the fewest boxes, of some of them, reach over the middle.
std::size_t Paths::best_axis(std::size_t begin, std::size_t end) {
    const auto axes = static_cast<std::size_t>(1 + dimension_);
    const std::size_t stride = (end - begin + most_looked_at - 1) / most_looked_at;
    std::size_t best = 0, fewest = end - begin + 1;
    std::vector<double> middles;
    for (std::size_t axis = 0; axis < axes; ++axis) {
        const auto box = [&](std::size_t k) {
            return all_boxes_.data() + 2 * (order_[k] * axes + axis);
        };
        middles.clear();
        for (std::size_t k = begin; k < end; k += stride) middles.push_back(box(k)[0] + box(k)[1]);
        const auto half = middles.begin() + static_cast<std::ptrdiff_t>(middles.size() / 2);
        std::nth_element(middles.begin(), half, middles.end());
        const double middle = 0.5 * *half;
        std::size_t across = 0;
        for (std::size_t k = begin; k < end; k += stride)
            across += box(k)[0] <= middle && middle <= box(k)[1];
        if (across < fewest) {
            fewest = across;
            best = axis;
        }
    }
    return best;
}

PathFollower::PathFollower(const Objective& objective)
    : inverse_typical_(objective.bounds().typical.cwiseInverse()),
      scaled_(objective.dimension()),
      step_(objective.dimension()) {}

void PathFollower::begin(const Paths* known, bool check) {
    known_ = known;
    check_ = check;
    path_.clear();
    end_ = -1;
}

bool PathFollower::passes(const Vector& x, double f) {
    scaled_ = x.cwiseProduct(inverse_typical_);
    if (known_ && end_ < 0 && !path_.f.empty()) {
        step_ = scaled_ - Eigen::Map<const Vector>(path_.x.data() + path_.x.size() - scaled_.size(),
                                                   scaled_.size());
        end_ = known_->find(scaled_.data(), step_.data(), f);
        if (end_ >= 0 && !check_) return true;
    }
    path_.x.insert(path_.x.end(), scaled_.begin(), scaled_.end());
    path_.f.push_back(f);
    return false;
}

}  // namespace lawfit
