#include <lawfit/search/section.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <utility>

namespace lawfit {
namespace {

// How much longer one of two steps that go along may be, squared.
constexpr double most_longer = 16.0;
constexpr std::size_t most_in_leaf = 8;
// More than what a number loses in single precision, as a share of it.
constexpr float rounding = 1.2e-7f;

float rounded_up(double value) {
    const float nearest = static_cast<float>(value);
    return static_cast<double>(nearest) < value ? std::nextafter(nearest, INFINITY) : nearest;
}

}  // namespace

std::size_t Section::size(long end) const {
    const auto found = sizes_.find(end);
    return found == sizes_.end() ? 0 : found->second;
}

void Section::add(const double* x, const double* step, double square, long end, long owner) {
    x_.insert(x_.end(), x, x + width());
    step_.insert(step_.end(), step, step + width());
    square_.push_back(square);
    end_.push_back(end);
    owner_.push_back(owner);
    ++sizes_[end];
}

void Section::publish() {
    std::vector<Key> keys(size());
    for (std::size_t k = 0; k < size(); ++k) keys[k].path = k;
    if (sizes_.size() > 1)
        std::stable_sort(keys.begin(), keys.end(),
                         [&](const Key& a, const Key& b) { return end_[a.path] < end_[b.path]; });
    nodes_.clear();
    boxes_.clear();
    trees_.clear();
    for (Range all; all.begin < size(); all.begin = all.end) {
        while (all.end < size() && end_[keys[all.end].path] == end_[keys[all.begin].path])
            ++all.end;
        enclose(keys, all);
        double longest = 0.0;
        const long end = end_[keys[all.begin].path];
        trees_.push_back({end, add_node(keys, all, longest)});
    }
    const auto arrange = [&](auto& values, std::size_t wide) {
        auto arranged = values;
        for (std::size_t k = 0; k < size(); ++k)
            std::copy_n(values.data() + keys[k].path * wide, wide, arranged.data() + k * wide);
        values.swap(arranged);
    };
    arrange(x_, width());
    arrange(step_, width());
    arrange(square_, 1);
    arrange(end_, 1);
    arrange(owner_, 1);
    published_ = size();
}

// Finds the smallest box around the paths.
void Section::enclose(const std::vector<Key>& keys, Range& range) const {
    range.around.resize(2 * width());
    for (std::size_t i = 0; i < width(); ++i) {
        range.around[2 * i] = INFINITY;
        range.around[2 * i + 1] = -INFINITY;
    }
    for (std::size_t k = range.begin; k < range.end; ++k) {
        const double* at = x(keys[k].path);
        for (std::size_t i = 0; i < width(); ++i) {
            range.around[2 * i] = std::min(range.around[2 * i], at[i]);
            range.around[2 * i + 1] = std::max(range.around[2 * i + 1], at[i]);
        }
    }
}

// Leaves the half of the paths on one side of the longest axis and puts those beyond into `second`.
void Section::halve(std::vector<Key>& keys, Range& range, Range& second) const {
    const std::vector<double>& around = range.around;
    std::size_t axis = 0;
    for (std::size_t i = 2; i < around.size(); i += 2)
        if (around[i + 1] - around[i] > around[axis + 1] - around[axis]) axis = i;
    const std::size_t middle = range.begin + (range.end - range.begin) / 2;
    const auto at = [&](std::size_t k) { return keys.begin() + static_cast<std::ptrdiff_t>(k); };
    for (std::size_t k = range.begin; k < range.end; ++k) keys[k].value = x(keys[k].path)[axis / 2];
    // By number where they are equal, so that the tree is the same everywhere.
    std::nth_element(at(range.begin), at(middle), at(range.end), [](const Key& a, const Key& b) {
        return a.value < b.value || (a.value == b.value && a.path < b.path);
    });
    second = {middle, range.end, around};
    range.end = middle;
    range.around[axis + 1] = second.around[axis] = keys[middle].value;
}

// Adds the node of these paths and those below it. The range's box becomes the smallest one.
std::size_t Section::add_node(std::vector<Key>& keys, Range& range, double& longest) {
    const std::size_t n = nodes_.size(), wide = 2 * width() * fan;
    nodes_.push_back({});
    boxes_.resize(boxes_.size() + wide);
    Range parts[fan];
    parts[0] = range;
    std::size_t count = 1;
    for (; count < fan; count *= 2)
        for (std::size_t c = 0; c < count; ++c)
            if (parts[c].end - parts[c].begin > most_in_leaf)
                halve(keys, parts[c], parts[count + c]);
    for (std::size_t i = 0; i < width(); ++i) {
        range.around[2 * i] = INFINITY;
        range.around[2 * i + 1] = -INFINITY;
    }
    longest = 0.0;
    for (std::size_t c = 0; c < fan; ++c) {
        Range& part = parts[c];
        double longest_here = 0.0;
        const std::size_t size = part.end - part.begin;
        nodes_[n].first[c] = static_cast<std::uint32_t>(part.begin);
        if (size > most_in_leaf) {
            const std::size_t below = add_node(keys, part, longest_here);
            nodes_[n].first[c] = static_cast<std::uint32_t>(below);
        } else {
            nodes_[n].count[c] = static_cast<std::uint32_t>(size);
            enclose(keys, part);  // of no path: a box that is infinitely far
            for (std::size_t k = part.begin; k < part.end; ++k)
                longest_here = std::max(longest_here, square_[keys[k].path]);
        }
        nodes_[n].longest[c] = rounded_up(longest_here);
        longest = std::max(longest, longest_here);
        float* sides = boxes_.data() + n * wide;
        for (std::size_t i = 0; i < width(); ++i) {
            const double lower = part.around[2 * i], upper = part.around[2 * i + 1];
            sides[2 * fan * i + c] = -rounded_up(-lower);
            sides[2 * fan * i + fan + c] = rounded_up(upper);
            range.around[2 * i] = std::min(range.around[2 * i], lower);
            range.around[2 * i + 1] = std::max(range.around[2 * i + 1], upper);
        }
    }
    return n;
}

bool Section::forget(const std::vector<char>& owners) {
    const auto gone = [&](long owner) {
        return owner >= 0 && owners[static_cast<std::size_t>(owner)] != 0;
    };
    if (std::none_of(owner_.begin(), owner_.end(), gone)) return false;
    Section rest(dimension_, height_);
    for (std::size_t k = 0; k < size(); ++k)
        if (!gone(owner_[k]))
            rest.add(x(k), step_.data() + k * width(), square_[k], end_[k], owner_[k]);
    *this = std::move(rest);
    publish();
    return true;
}

// The square of a distance, or anything beyond `most` where it is more.
double Section::distance(const double* x, const double* y, double most) const {
    double square = 0.0;
    for (int i = 0; i < dimension_ && square <= most; ++i) square += (x[i] - y[i]) * (x[i] - y[i]);
    return square;
}

// The squares of the distances to the boxes below a node, or a little less.
Section::Squares Section::box_distances(std::size_t node, const double* x) const {
    using Sides = Eigen::Map<const Squares>;
    const float* sides = boxes_.data() + node * width() * 2 * fan;
    Squares sum = Squares::Zero();
    for (std::size_t i = 0; i < width(); ++i, sides += 2 * fan) {
        const float at = static_cast<float>(x[i]), slack = std::fabs(at) * rounding;
        const Squares below = Sides(sides) - (at + slack);
        const Squares above = (at - slack) - Sides(sides + fan);
        sum += below.max(above).max(0.0f).square();
    }
    return sum * (1.0f - 1e-5f);
}

// Whether two steps have the same direction, within 60 degrees, and a length within a factor 4.
bool Section::goes_along(const Search& search, std::size_t path) const {
    const double* step = step_.data() + path * width();
    const double own = search.own, square = square_[path];
    double product = 0.0;
    for (int i = 0; i < dimension_; ++i) product += search.step[i] * step[i];
    return product >= 0.5 * std::sqrt(own * square) && own <= most_longer * square &&
           square <= most_longer * own;
}

// Looks for a nearer path in the boxes below a node, the nearest box first.
void Section::look(std::size_t node, Search& search) const {
    const Node& here = nodes_[node];
    double& most = search.found.square;
    const Squares far = box_distances(node, search.x);
    std::size_t order[fan], count = 0;
    for (std::size_t c = 0; c < fan; ++c) {
        if (far[c] > most || far[c] > search.square_reach * here.longest[c]) continue;
        std::size_t place = count++;
        for (; place > 0 && far[order[place - 1]] > far[c]; --place)
            order[place] = order[place - 1];
        order[place] = c;
    }
    for (std::size_t i = 0; i < count; ++i) {
        const std::size_t c = order[i];
        if (far[c] > most) return;
        if (here.count[c] == 0 && here.first[c] > 0) look(here.first[c], search);
        for (std::size_t k = here.first[c]; k < here.first[c] + here.count[c]; ++k) {
            const double least = std::min(most, search.square_reach * square_[k]);
            const double square = distance(search.x, x(k), least);
            if (square <= least && goes_along(search, k)) search.found = {k, square};
        }
    }
}

Section::Found Section::nearest(const double* x, const double* step, double reach) const {
    double own = 0.0;
    for (int i = 0; i < dimension_; ++i) own += step[i] * step[i];
    Search search{x, step, own, reach * reach, {none, reach * reach * most_longer * own}};
    for (const Tree& tree : trees_) look(tree.node, search);
    return search.found;
}

bool Section::is_within(std::size_t node, const double* x, double square) const {
    const Node& here = nodes_[node];
    const Squares far = box_distances(node, x);
    for (std::size_t c = 0; c < fan; ++c) {
        if (far[c] > square) continue;
        if (here.count[c] == 0 && here.first[c] > 0 && is_within(here.first[c], x, square))
            return true;
        for (std::size_t k = here.first[c]; k < here.first[c] + here.count[c]; ++k)
            if (distance(x, this->x(k), square) <= square) return true;
    }
    return false;
}

bool Section::has_other_end(long end, const double* x, double square) const {
    return std::any_of(trees_.begin(), trees_.end(), [&](const Tree& tree) {
        return tree.end != end && is_within(tree.node, x, square);
    });
}

}  // namespace lawfit
