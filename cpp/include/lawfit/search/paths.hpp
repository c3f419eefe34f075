// The ways that finished starts took downhill, so that a start that comes upon one need not go on.
//
// Every start first minimises the same smooth function (Solver), so that its way from a point on is
// a matter of that point alone: where two starts meet, they end alike. Paths are compared where they
// pass the same heights of the function. A start meets a path when it is nearer to it than a fraction
// of the step that was taken there, the scale on which the function is smooth, and many times nearer
// than to any path with another end: somewhere between those two the ways part.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include <lawfit/search/section.hpp>
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

// That a start will end as a path does which it has met.
struct Claim {
    long end = -1;              // the path's; -1: none was met
    long owner = -1;            // the path's
    std::uint32_t section = 0;  // where they met
    double distance = 0.0;      // between them
};

class Paths {
public:
    // like: the starts that look for paths minimise not the same function but one like it, so that
    // where ways part has moved: none with another end may be within a step.
    explicit Paths(int dimension, bool like = false) : dimension_(dimension), like_(like) {}

    // The first `points` of the path of a start, `owner`, and the number of the end it came to.
    void add(Path path, long end, long owner = -1, std::size_t points = SIZE_MAX);
    // Makes what was added known to find(), or most of it; at each height no more than so many paths are
    // kept. Not while others call find().
    void publish(int threads = 1);
    // What is claimed after a step from height f_before to `x` at height f: that it ends as the nearest
    // of the paths that it meets and that go the same way. x, step: (dimension,) in units of `typical`;
    // crossing: (dimension,), where the step passes the height of the claim is left there.
    Claim find(const double* x, const double* step, double f_before, double f,
               double* crossing) const;
    // Tells of a claim that was made, so that more is kept of heights at which claims are made.
    void count(const Claim& claim) { ++claims_[claim.section]; }

    // Sets doubtful[i] for every claims[i] that would not be made if these paths were known.
    struct Found {
        const Path* path;
        long end;
    };
    void doubt(const std::vector<Claim>& claims, const std::vector<Found>& found,
               std::vector<char>& doubtful) const;
    // Drops the paths of the owners that are set.
    void forget(const std::vector<char>& owners);
    // After claims have proved wrong too often: nearness is judged more strictly, and at the third
    // time find() falls silent.
    void distrust() { trust_ *= 0.25; }

private:
    struct Added {
        double high, low;  // where it begins and ends
        long end, owner;
        bool goes_deeper;  // than all heights
        Path path;
    };
    void choose_heights();
    void take_in(Section& section, std::size_t most) const;
    template <class At>
    void each_crossing(const Path& path, At at) const;
    double nearness_to_others() const;

    int dimension_;
    bool like_;
    bool one_end_ = true;  // every path has the same, first_end_
    long first_end_ = -1;
    double trust_ = 1.0;
    std::vector<Section> sections_;    // falling heights
    std::vector<std::size_t> claims_;  // made at each
    std::vector<Added> added_;         // since the last publish()
};

// Records the path of a start and, given paths, ends it where it meets one.
class PathFollower final : public Watcher {
public:
    explicit PathFollower(const Objective& objective);

    // known: null to only record. check: go on to the end all the same, to compare it with the claim.
    void begin(const Paths* known, bool check = false);
    bool passes(const Vector& x, double f) override;
    const Path& path() const { return path_; }
    const Claim& claim() const { return claim_; }
    long end() const { return claim_.end; }  // of the paths that it met, -1
    // Of the path, before it met one.
    std::size_t points_before() const { return points_before_; }

private:
    Vector inverse_typical_, scaled_, step_, crossing_;
    const Paths* known_ = nullptr;
    bool check_ = false;
    Path path_;
    Claim claim_;
    std::size_t points_before_ = 0;
};

}  // namespace lawfit
