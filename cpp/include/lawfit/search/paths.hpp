// The ways that finished starts took downhill, so that a start that comes upon one need not go on.
//
// Every start first minimises the same smooth function (Solver), so that its way from a point on is
// a matter of that point alone: where two starts meet, they end alike. A start meets a path when,
// at the same height of the function, it is nearer to it than a fraction of the step that was taken
// there, the scale on which the function is smooth. Where paths with different ends are near, it
// goes on.
#pragma once

#include <map>
#include <vector>

#include <lawfit/solver/solver.hpp>

namespace lawfit {

// The points that one start passes in its first stage.
struct Path {
    std::vector<double> x;  // (points, dimension) row-major, in units of `typical`
    std::vector<double> f;  // (points,), falling
    void clear() {
        x.clear();
        f.clear();
    }
};

class Paths {
public:
    explicit Paths(int dimension)
        : dimension_(dimension), step_(static_cast<std::size_t>(dimension)) {}
    void clear();

    // A start's path and the number of the end it came to. Only the part until it meets a known path
    // to the same end is kept, and nothing once very many are known.
    void add(const Path& path, long end);
    // Makes what was added known to find(). Not while others call it.
    void publish();
    // The end of the paths that pass by x at height f and go the way of the step that led there; -1 if
    // there are none, or if some with another end are near. x, step: (dimension,) in units of `typical`.
    long find(const double* x, const double* step, double f) const;
    // After a claim of find() has proved wrong: nearness is judged more strictly, and at the third
    // time find() falls silent.
    void distrust();

private:
    struct Segment {
        long end;
        double high, low;  // f at both ends
        double square;     // its squared length
        std::size_t at;    // of its first point in points_, followed by its direction
    };
    // Of the tree of segments, by which find() looks up those that it may have to do with: a node is
    // followed by the nodes below it. The segments of a node, and what is near them, are within its
    // box: heights first, then coordinates.
    struct Node {
        std::size_t begin, end;  // of its segments in order_
        std::size_t next;        // the first node that is not below it
        double longest;          // of its segments
        bool is_leaf;
    };
    double nearness() const;
    template <class Found>
    bool any_within(double reach, const double* x, double f, Found found) const;
    bool goes_along(const double* step, const double* direction, double square) const;
    void box_of(const Segment& segment, double* box) const;
    void add_node(std::size_t begin, std::size_t end);
    std::size_t best_axis(std::size_t begin, std::size_t end);

    int dimension_;
    double trust_ = 1.0;
    bool one_end_ = true;        // every path has the same
    std::size_t published_ = 0;  // segments that find() knows
    bool published_one_end_ = true;
    std::vector<double> step_;
    std::vector<double> points_;
    std::vector<Segment> segments_;
    std::map<long, std::size_t> kept_;  // segments of each end
    double nearness_of_boxes_ = 0.0;
    std::vector<Node> nodes_;
    std::vector<double> boxes_;       // (nodes, 1 + dimension, 2): lower and upper
    std::vector<std::size_t> order_;  // of segments, so that those of a node are together
    std::vector<double> all_boxes_;   // (segments, 1 + dimension, 2), while the tree is made
};

// Records the path of a start and, given paths, ends it where it meets one.
class PathFollower final : public Watcher {
public:
    explicit PathFollower(const Objective& objective);

    // known: null to only record. check: go on to the end all the same, to compare it with the claim.
    void begin(const Paths* known, bool check = false);
    bool passes(const Vector& x, double f) override;
    const Path& path() const { return path_; }
    long end() const { return end_; }  // of the paths that it met, -1

private:
    Vector inverse_typical_, scaled_, step_;
    const Paths* known_ = nullptr;
    bool check_ = false;
    Path path_;
    long end_ = -1;
};

}  // namespace lawfit
