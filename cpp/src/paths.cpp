#include <lawfit/search/paths.hpp>

#include <algorithm>
#include <cmath>

namespace lawfit {
namespace {

// Nearness, in lengths of the step taken there: while all paths end alike, and when not; then no path
// with another end may be within near_others.
constexpr double near_one_end = 0.5, near_several = 0.03, near_others = 1.5;
constexpr double least_trust = 0.05;
// The share of an end leaves room for those that are found later.
constexpr std::size_t most_segments_of_an_end = 5000, most_segments = 20000;
constexpr std::size_t most_bins = 256, fewest_in_bin = 8;
constexpr std::size_t few_segments = 64;  // all looked through: sorting them takes longer

}  // namespace

std::size_t Paths::bin_of(double f) const {
    return static_cast<std::size_t>(std::upper_bound(edges_.begin(), edges_.end(), f) -
                                    edges_.begin());
}

void Paths::clear() {
    points_.clear();
    segments_.clear();
    kept_.clear();
    one_end_ = true;
    trust_ = 1.0;
    published_ = 0;
}

// How far from a path, in lengths of its step, another path can have a say.
double Paths::alarm() const { return one_end_ ? trust_ * near_one_end : near_others; }

long Paths::find(const double* x, const double* step, double f) const {
    if (published_ == 0 || trust_ < least_trust) return -1;
    const double nearness = trust_ * (one_end_ ? near_one_end : near_several);
    const double alarm = this->alarm();
    const double reach = (1.0 + alarm) * (1.0 + alarm);
    const std::size_t bin = bin_of(f);
    long end = -1;
    bool met = false;
    const double first = x[axes_[0]], second = x[axes_[1]];
    for (std::size_t k = bin_begin_[bin]; k < bin_begin_[bin + 1]; ++k) {
        const Entry& entry = entries_[k];
        // Without branches, of which each would go either way.
        const bool apart = (f > entry.high) | (f < entry.low) | (first < entry.left[0]) |
                           (first > entry.right[0]) | (second < entry.left[1]) |
                           (second > entry.right[1]);
        if (apart) continue;
        const Segment& segment = segments_[entry.segment];
        const double* a = points_.data() + segment.at;
        const double* d = a + dimension_;
        double along = 0.0, square = 0.0;
        const double farthest = reach * segment.square;  // most segments are far: see that soon
        for (int i = 0; i < dimension_ && square <= farthest; ++i) {
            const double r = x[i] - a[i];
            along += r * d[i];
            square += r * r;
        }
        if (!(square <= farthest)) continue;
        const double t = std::clamp(along / segment.square, 0.0, 1.0);
        const double distance = square - t * (2.0 * along - t * segment.square);
        if (!(distance <= alarm * alarm * segment.square)) continue;
        if (one_end_) {
            if (goes_along(step, d, segment.square)) return segment.end;
            continue;
        }
        if (end >= 0 && end != segment.end) return -1;
        end = segment.end;
        met = met || (distance <= nearness * nearness * segment.square &&
                      goes_along(step, d, segment.square));
    }
    return met ? end : -1;
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
    for (std::size_t i = 0; i + 1 < path.f.size(); ++i) {
        if (kept >= most_segments_of_an_end || segments_.size() >= most_segments) break;
        const double* a = path.x.data() + i * p;
        if (i > 0) {
            const double* before = a - p;
            for (std::size_t k = 0; k < p; ++k) step_[k] = a[k] - before[k];
            if (find(a, step_.data(), path.f[i]) == end) break;
        }
        Segment segment{end, path.f[i], path.f[i + 1], 0.0, points_.size()};
        for (std::size_t k = 0; k < p; ++k) segment.square += (a[p + k] - a[k]) * (a[p + k] - a[k]);
        if (!(segment.square > 0.0)) continue;
        points_.insert(points_.end(), a, a + p);
        for (std::size_t k = 0; k < p; ++k) points_.push_back(a[p + k] - a[k]);
        segments_.push_back(segment);
        ++kept;
    }
    if (segments_.size() > published_ + published_ / 4 || one_end_ != had_one_end) publish();
}

void Paths::publish() {
    if (published_ == segments_.size() && published_one_end_ == one_end_) return;
    published_ = segments_.size();
    published_one_end_ = one_end_;
    edges_.clear();
    if (segments_.size() > few_segments) {
        const std::size_t step = std::max(fewest_in_bin, segments_.size() / most_bins);
        for (std::size_t s = 0; s < segments_.size(); s += step)
            edges_.push_back(segments_[s].high);
        std::sort(edges_.begin(), edges_.end());
        edges_.erase(std::unique(edges_.begin(), edges_.end()), edges_.end());
        choose_axes();
    } else {
        axes_[0] = 0;
        axes_[1] = dimension_ - 1;
    }
    // Counted first, then filled in from the end of each bin's share.
    bin_begin_.assign(edges_.size() + 2, 0);
    for (const Segment& segment : segments_)
        for (std::size_t b = bin_of(segment.low); b <= bin_of(segment.high); ++b) ++bin_begin_[b];
    for (std::size_t b = 1; b < bin_begin_.size(); ++b) bin_begin_[b] += bin_begin_[b - 1];
    entries_.resize(bin_begin_.back());
    for (std::size_t s = segments_.size(); s-- > 0;) {
        const Segment& segment = segments_[s];
        const double* a = points_.data() + segment.at;
        const double margin = alarm() * std::sqrt(segment.square);
        Entry entry{segment.high, segment.low, {}, {}, s};
        for (int k = 0; k < 2; ++k) {
            const double from = a[axes_[k]], to = from + a[dimension_ + axes_[k]];
            entry.left[k] = std::min(from, to) - margin;
            entry.right[k] = std::max(from, to) + margin;
        }
        for (std::size_t b = bin_of(segment.low); b <= bin_of(segment.high); ++b)
            entries_[--bin_begin_[b]] = entry;
    }
}

void Paths::choose_axes() {
    double widest = -1.0, next = -1.0;
    axes_[0] = axes_[1] = 0;
    for (int i = 0; i < dimension_; ++i) {
        double total = 0.0, squares = 0.0;
        for (const Segment& segment : segments_) {
            const double at = points_[segment.at + static_cast<std::size_t>(i)];
            total += at;
            squares += at * at;
        }
        const auto count = static_cast<double>(segments_.size());
        const double variance = squares / count - (total / count) * (total / count);
        if (variance > widest) {
            next = widest;
            axes_[1] = axes_[0];
            widest = variance;
            axes_[0] = i;
        } else if (variance > next) {
            next = variance;
            axes_[1] = i;
        }
    }
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
