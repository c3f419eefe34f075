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
    std::vector<double> around(2 * width());
    for (std::size_t begin = 0, end = 0; begin < size(); begin = end) {
        while (end < size() && end_[keys[end].path] == end_[keys[begin].path]) ++end;
        trees_.push_back(nodes_.size());
        enclose(keys, begin, end, around.data());
        add_node(keys, begin, end, around);
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

// The sides of the smallest box around these paths.
void Section::enclose(const std::vector<Key>& keys, std::size_t begin, std::size_t end,
                      double* sides) const {
    for (std::size_t i = 0; i < width(); ++i) {
        sides[2 * i] = INFINITY;
        sides[2 * i + 1] = -INFINITY;
    }
    for (std::size_t k = begin; k < end; ++k) {
        const double* at = x(keys[k].path);
        for (std::size_t i = 0; i < width(); ++i) {
            sides[2 * i] = std::min(sides[2 * i], at[i]);
            sides[2 * i + 1] = std::max(sides[2 * i + 1], at[i]);
        }
    }
}

// Adds the node of these paths and, below it, two of half as many. around: a box that they are in, left
// as it is.
void Section::add_node(std::vector<Key>& keys, std::size_t begin, std::size_t end,
                       std::vector<double>& around) {
    const std::size_t n = nodes_.size(), wide = 2 * width();
    nodes_.push_back({begin, end, 0, 0.0});
    boxes_.resize(boxes_.size() + wide);
    if (end - begin <= most_in_leaf) {
        enclose(keys, begin, end, boxes_.data() + n * wide);
        for (std::size_t k = begin; k < end; ++k)
            nodes_[n].longest = std::max(nodes_[n].longest, square_[keys[k].path]);
        return;
    }
    std::size_t axis = 0;
    for (std::size_t i = 2; i < wide; i += 2)
        if (around[i + 1] - around[i] > around[axis + 1] - around[axis]) axis = i;
    const std::size_t middle = begin + (end - begin) / 2;
    const auto at = [&](std::size_t k) { return keys.begin() + static_cast<std::ptrdiff_t>(k); };
    for (std::size_t k = begin; k < end; ++k) keys[k].value = x(keys[k].path)[axis / 2];
    // By number where they are equal, so that the tree is the same everywhere.
    std::nth_element(at(begin), at(middle), at(end), [](const Key& a, const Key& b) {
        return a.value < b.value || (a.value == b.value && a.path < b.path);
    });
    const double cut = keys[middle].value, lower = around[axis], upper = around[axis + 1];
    around[axis + 1] = cut;
    add_node(keys, begin, middle, around);
    around[axis + 1] = upper;
    around[axis] = cut;
    const std::size_t second = nodes_[n].second = nodes_.size();
    add_node(keys, middle, end, around);
    around[axis] = lower;
    double* sides = boxes_.data() + n * wide;
    const double *a = box(n + 1), *b = box(second);
    for (std::size_t i = 0; i < wide; i += 2) {
        sides[i] = std::min(a[i], b[i]);
        sides[i + 1] = std::max(a[i + 1], b[i + 1]);
    }
    nodes_[n].longest = std::max(nodes_[n + 1].longest, nodes_[second].longest);
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

double Section::box_distance(std::size_t node, const double* x) const {
    const double* sides = box(node);
    double square = 0.0;
    for (int i = 0; i < dimension_; ++i) {
        const double below = sides[2 * i] - x[i], above = x[i] - sides[2 * i + 1];
        const double beyond = std::max(std::max(below, above), 0.0);
        square += beyond * beyond;
    }
    return square;
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

// Looks for a nearer path in a node that is so far away.
void Section::look(std::size_t node, double far, Search& search) const {
    const Node& here = nodes_[node];
    double& most = search.found.square;
    if (far > most || far > search.square_reach * here.longest) return;
    if (here.second > 0) {
        const std::size_t first = node + 1, second = here.second;
        const double a = box_distance(first, search.x);
        const double b = box_distance(second, search.x);
        look(a <= b ? first : second, std::min(a, b), search);
        look(a <= b ? second : first, std::max(a, b), search);
        return;
    }
    for (std::size_t k = here.begin; k < here.end; ++k) {
        const double least = std::min(most, search.square_reach * square_[k]);
        const double square = distance(search.x, x(k), least);
        if (square <= least && goes_along(search, k)) search.found = {k, square};
    }
}

Section::Found Section::nearest(const double* x, const double* step, double reach) const {
    double own = 0.0;
    for (int i = 0; i < dimension_; ++i) own += step[i] * step[i];
    Search search{x, step, own, reach * reach, {none, reach * reach * most_longer * own}};
    for (const std::size_t tree : trees_) look(tree, box_distance(tree, x), search);
    return search.found;
}

bool Section::is_within(std::size_t node, const double* x, double square) const {
    if (box_distance(node, x) > square) return false;
    const Node& here = nodes_[node];
    if (here.second > 0) return is_within(node + 1, x, square) || is_within(here.second, x, square);
    for (std::size_t k = here.begin; k < here.end; ++k)
        if (distance(x, this->x(k), square) <= square) return true;
    return false;
}

bool Section::has_other_end(long end, const double* x, double square) const {
    return std::any_of(trees_.begin(), trees_.end(), [&](std::size_t tree) {
        return end_[nodes_[tree].begin] != end && is_within(tree, x, square);
    });
}

}  // namespace lawfit
