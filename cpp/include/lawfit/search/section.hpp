// Where paths pass one height of the function, and which of them pass nearest to a point.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <vector>

#include <Eigen/Core>

namespace lawfit {

class Section {
public:
    Section(int dimension, double height) : dimension_(dimension), height_(height) {}

    double height() const { return height_; }
    std::size_t size() const { return end_.size(); }
    // Paths to this end.
    std::size_t size(long end) const;

    // A path that passes at `x` with a step, (dimension,) each, of `square` length.
    void add(const double* x, const double* step, double square, long end, long owner);
    // Makes what was added known to searches.
    void publish();
    bool has_grown() const { return size() > published_ + published_ / 4; }
    // Drops paths of these owners; false where there are none.
    bool forget(const std::vector<char>& owners);

    const double* x(std::size_t path) const { return x_.data() + path * width(); }
    double square(std::size_t path) const { return square_[path]; }  // of its step's length
    long end(std::size_t path) const { return end_[path]; }
    long owner(std::size_t path) const { return owner_[path]; }

    static constexpr std::size_t none = static_cast<std::size_t>(-1);
    struct Found {
        std::size_t path = none;
        double square = 0.0;  // of the distance
    };
    // The path nearest to x of those that are within `reach` lengths of their step there and of this
    // step, and that go along with this step. x, step: (dimension,).
    Found nearest(const double* x, const double* step, double reach) const;
    // Whether a path with another end is as near to x as that.
    bool has_other_end(long end, const double* x, double square) const;

private:
    // Of a tree of boxes, eight below each; one tree for each end. What a search looks at next is one
    // piece of memory, as it waits for little else.
    static constexpr std::size_t fan = 8;
    struct Node {
        std::uint32_t first[fan];  // of the paths in it, or the node below; 0 and 0: nothing
        std::uint32_t count[fan];  // of the paths
        float longest[fan];        // square of the longest step, rounded up
    };
    using Squares = Eigen::Array<float, fan, 1>;
    struct Tree {
        long end;
        std::size_t node;  // the uppermost one
    };
    struct Search {
        const double* x;
        const double* step;
        double own;           // square of the step's length
        double square_reach;  // in squares of lengths of steps
        Found found;
    };
    // A path among those that are being arranged, and where it is along an axis.
    struct Key {
        double value;
        std::size_t path;
    };
    struct Range {
        std::size_t begin = 0, end = 0;
        std::vector<double> around;  // (dimension, 2): sides of a box that the paths are in
    };
    std::size_t width() const { return static_cast<std::size_t>(dimension_); }
    double distance(const double* x, const double* y, double most) const;
    Squares box_distances(std::size_t node, const double* x) const;
    bool goes_along(const Search& search, std::size_t path) const;
    void look(std::size_t node, Search& search) const;
    bool is_within(std::size_t node, const double* x, double square) const;
    void enclose(const std::vector<Key>& keys, Range& range) const;
    void halve(std::vector<Key>& keys, Range& range, Range& second) const;
    std::size_t add_node(std::vector<Key>& keys, Range& range, double& longest);

    int dimension_;
    double height_;
    std::vector<double> x_, step_;  // (size, dimension)
    std::vector<double> square_;    // (size,) of the step's length
    std::vector<long> end_, owner_;
    std::map<long, std::size_t> sizes_;  // of each end
    std::size_t published_ = 0;          // the first ones, in the order of the trees
    std::vector<Node> nodes_;
    // (nodes, dimension, 2, fan): lower sides rounded down, upper ones up
    std::vector<float> boxes_;
    std::vector<Tree> trees_;
};

}  // namespace lawfit
