#include <lawfit/search/paths.hpp>

#include <algorithm>
#include <cmath>
#include <functional>
#include <iterator>
#include <utility>

#include <lawfit/parallel.hpp>

namespace lawfit {
namespace {

// Nearness, in lengths of the step taken there, and compared with the nearest path to another end.
constexpr double near_steps = 0.5, near_others = 0.03;
// For a function that is only like the one of the paths, once paths with several ends are known: in
// lengths of steps both, how near the path must be and how far those with another end.
constexpr double near_steps_like = 0.03, far_steps_like = 1.5;
constexpr double least_trust = 0.05;
// Heights are chosen at first and, where a path goes on by so many points below the lowest one, again.
constexpr std::size_t heights_per_point = 2, most_heights_at_once = 128, most_heights = 192;
constexpr std::size_t fewest_points = 4;
// What is kept: at a height, more where starts are claimed; of all together, the step and the point of
// each crossing. The share of an end leaves room for those that are found later.
constexpr std::size_t paths_before_claims = 1024, paths_per_claim = 8,
                      most_paths = std::size_t{1} << 15, most_paths_of_an_end = most_paths / 4 * 3;
constexpr std::size_t most_numbers = std::size_t{1} << 24;

// How far a path is on its way from one height to a lower one when it passes this one.
double share_of_way(double high, double low, double height) {
    return std::clamp((high - height) / (high - low), 0.0, 1.0);
}

}  // namespace

double Paths::nearness_to_others() const { return trust_ * near_others; }

// Calls at(section, before, t) for every section that the path passes: t of the way from point
// `before` to the next.
template <class At>
void Paths::each_crossing(const Path& path, At at) const {
    if (path.f.size() < 2) return;
    const auto above = [](const Section& s, double f) { return s.height() >= f; };
    auto next = std::lower_bound(sections_.begin(), sections_.end(), path.f[0], above);
    for (std::size_t k = 0; k + 1 < path.f.size(); ++k) {
        const double high = path.f[k], low = path.f[k + 1];
        for (; next != sections_.end() && next->height() >= low; ++next)
            at(static_cast<std::size_t>(next - sections_.begin()), k,
               share_of_way(high, low, next->height()));
    }
}

void Paths::add(Path path, long end, long owner, std::size_t points) {
    points = std::min(points, path.f.size());
    if (points < 2) return;
    if (first_end_ < 0) first_end_ = end;
    one_end_ = one_end_ && end == first_end_;
    path.f.resize(points);
    path.x.resize(points * static_cast<std::size_t>(dimension_));
    bool deeper = sections_.empty();
    if (!deeper && sections_.size() < most_heights) {
        const double lowest = sections_.back().height();
        deeper = static_cast<std::size_t>(std::count_if(path.f.begin(), path.f.end(),
                                                        [&](double f) { return f < lowest; })) >=
                 fewest_points;
    }
    const double high = path.f.front(), low = path.f.back();
    added_.push_back({high, low, end, owner, deeper, std::move(path)});
}

// Keeps where the added paths pass a section, until it has `most` of them.
void Paths::take_in(Section& section, std::size_t most) const {
    const auto p = static_cast<std::size_t>(dimension_);
    const double height = section.height();
    std::vector<double> x(p), step(p);
    for (const Added& one : added_) {
        if (!(one.high > height && one.low <= height)) continue;
        if (section.size() >= most) return;
        if (section.size() >= most_paths_of_an_end && section.size(one.end) >= most_paths_of_an_end)
            continue;
        const std::vector<double>& f = one.path.f;
        const auto after =
            std::partition_point(f.begin(), f.end(), [&](double at) { return at > height; });
        const double* b = one.path.x.data() + static_cast<std::size_t>(after - f.begin()) * p;
        const double* a = b - p;
        const double t = share_of_way(after[-1], after[0], height);
        double square = 0.0;
        for (std::size_t i = 0; i < p; ++i) {
            step[i] = b[i] - a[i];
            square += step[i] * step[i];
            x[i] = a[i] + t * step[i];
        }
        if (square > 0.0 && std::isfinite(square))
            section.add(x.data(), step.data(), square, one.end, one.owner);
    }
}

// New heights below those there are: a multiple of the points that a path has there, placed so that as
// many points are between any two.
void Paths::choose_heights() {
    const double lowest = sections_.empty() ? INFINITY : sections_.back().height();
    std::vector<double> heights;
    std::size_t paths = 0;
    for (const Added& one : added_) {
        if (!one.goes_deeper) continue;
        ++paths;
        std::copy_if(one.path.f.begin() + 1, one.path.f.end(), std::back_inserter(heights),
                     [&](double f) { return f < lowest; });
    }
    if (heights.empty()) return;
    std::sort(heights.begin(), heights.end(), std::greater<>());
    const std::size_t wanted = std::min({heights_per_point * heights.size() / paths + 1,
                                         most_heights_at_once, most_heights - sections_.size()});
    for (std::size_t i = 1; i <= wanted; ++i) {
        const double height = heights[(i * heights.size() + wanted - 1) / wanted - 1];
        if (sections_.empty() || height < sections_.back().height())
            sections_.emplace_back(dimension_, height);
    }
    claims_.resize(sections_.size(), 0);
}

void Paths::publish(int threads) {
    if (added_.empty()) return;
    choose_heights();
    std::size_t kept = 0;
    for (const Section& s : sections_) kept += s.size();
    const auto p = static_cast<std::size_t>(dimension_);
    const std::size_t room = most_numbers / (2 * p) - std::min(kept, most_numbers / (2 * p));
    Monitor nobody;
    parallel_for(static_cast<long>(sections_.size()), kept + added_.size() < 1000 ? 1 : threads,
                 nobody, [&](long k, int) {
                     const auto at = static_cast<std::size_t>(k);
                     Section& s = sections_[at];
                     take_in(s, std::min({most_paths, s.size() + room / sections_.size(),
                                          paths_before_claims + paths_per_claim * claims_[at]}));
                     if (s.has_grown()) s.publish();
                 });
    added_.clear();
}

Claim Paths::find(const double* x, const double* step, double f_before, double f,
                  double* crossing) const {
    if (trust_ < least_trust || !(f < f_before)) return {};
    // At the lowest section that the step passes.
    const auto above = [](const Section& s, double height) { return s.height() >= height; };
    const auto after = std::lower_bound(sections_.begin(), sections_.end(), f, above);
    if (after == sections_.begin()) return {};
    const Section& s = *(after - 1);
    if (!(s.height() < f_before)) return {};
    const double back = (s.height() - f) / (f_before - f);
    for (int i = 0; i < dimension_; ++i) crossing[i] = x[i] - back * step[i];
    const Section::Found found = s.nearest(crossing, step, trust_ * near_steps);
    if (found.path == Section::none) return {};
    const long end = s.end(found.path);
    const double limit = nearness_to_others();
    double others = found.square / (limit * limit);
    if (like_ && !one_end_) {
        const double square = s.square(found.path), reach = trust_ * near_steps_like;
        if (found.square > reach * reach * square) return {};
        others = std::max(others, far_steps_like * far_steps_like * square);
    }
    if (s.has_other_end(end, crossing, others)) return {};
    return {end, s.owner(found.path), static_cast<std::uint32_t>(after - 1 - sections_.begin()),
            std::sqrt(found.square)};
}

void Paths::doubt(const std::vector<Claim>& claims, const std::vector<Found>& found,
                  std::vector<char>& doubtful) const {
    const auto p = static_cast<std::size_t>(dimension_);
    // For each section: the numbers of its paths by owner, and where what was found passes.
    struct Passing {
        long end;
        std::vector<double> x;
    };
    std::vector<std::vector<Passing>> passing(sections_.size());
    for (const Found& one : found)
        each_crossing(*one.path, [&](std::size_t at, std::size_t k, double t) {
            const double* a = one.path->x.data() + k * p;
            passing[at].push_back({one.end, std::vector<double>(p)});
            for (std::size_t i = 0; i < p; ++i)
                passing[at].back().x[i] = a[i] + t * (a[p + i] - a[i]);
        });
    std::vector<std::vector<std::pair<long, std::size_t>>> owners(sections_.size());
    for (std::size_t at = 0; at < sections_.size(); ++at) {
        if (passing[at].empty() || claims_[at] == 0) continue;
        for (std::size_t k = 0; k < sections_[at].size(); ++k)
            owners[at].emplace_back(sections_[at].owner(k), k);
        std::sort(owners[at].begin(), owners[at].end());
    }
    for (std::size_t i = 0; i < claims.size(); ++i) {
        const Claim& claim = claims[i];
        if (claim.end < 0) continue;
        const auto& here = owners[claim.section];
        const auto met =
            std::lower_bound(here.begin(), here.end(), std::pair(claim.owner, std::size_t{0}));
        if (met == here.end() || met->first != claim.owner) continue;
        const double* x = sections_[claim.section].x(met->second);
        for (const Passing& other : passing[claim.section]) {
            double square = 0.0;
            for (std::size_t k = 0; k < p; ++k) square += (other.x[k] - x[k]) * (other.x[k] - x[k]);
            // The start itself may be nearer to the other path than the one that it met.
            const double apart = std::sqrt(square) - claim.distance;
            if (other.end != claim.end && claim.distance > nearness_to_others() * apart)
                doubtful[i] = 1;
        }
    }
}

void Paths::forget(const std::vector<char>& owners) {
    const auto gone = [&](const Added& one) {
        return one.owner >= 0 && owners[static_cast<std::size_t>(one.owner)] != 0;
    };
    added_.erase(std::remove_if(added_.begin(), added_.end(), gone), added_.end());
    for (Section& s : sections_) s.forget(owners);
}

PathFollower::PathFollower(const Objective& objective)
    : inverse_typical_(objective.bounds().typical.cwiseInverse()),
      scaled_(objective.dimension()),
      step_(objective.dimension()),
      crossing_(objective.dimension()) {}

void PathFollower::begin(const Paths* known, bool check) {
    known_ = known;
    check_ = check;
    path_.clear();
    claim_ = {};
    points_before_ = 0;
}

bool PathFollower::passes(const Vector& x, double f) {
    scaled_ = x.cwiseProduct(inverse_typical_);
    if (known_ && claim_.end < 0 && !path_.f.empty()) {
        step_ = scaled_ - Eigen::Map<const Vector>(path_.x.data() + path_.x.size() - scaled_.size(),
                                                   scaled_.size());
        claim_ = known_->find(scaled_.data(), step_.data(), path_.f.back(), f, crossing_.data());
        if (claim_.end >= 0 && !check_) return true;
    }
    path_.x.insert(path_.x.end(), scaled_.begin(), scaled_.end());
    path_.f.push_back(f);
    if (claim_.end < 0) points_before_ = path_.f.size();
    return false;
}

}  // namespace lawfit
