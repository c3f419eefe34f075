// Searches among paths against looking at every one, and claims that later paths put in doubt.
#include <algorithm>
#include <cmath>
#include <vector>

#include <lawfit/random.hpp>
#include <lawfit/search/paths.hpp>

#include "check.hpp"
#include "problems.hpp"

using namespace lawfit;
using problems::uniform;

namespace {

constexpr int dimension = 3;
using Point = std::vector<double>;

double square_distance(const double* a, const double* b) {
    double square = 0.0;
    for (int i = 0; i < dimension; ++i) square += (a[i] - b[i]) * (a[i] - b[i]);
    return square;
}

void section_against_all() {
    Philox random(5, 0);
    int differ = 0, found_some = 0, other_near = 0;
    for (int trial = 0; trial < 60; ++trial) {
        Section section(dimension, 1.0);
        std::vector<Point> x, step;
        std::vector<double> square;
        std::vector<long> end;
        const int size = 1 + 5 * trial;
        // In every other trial so far away that boxes in single precision are rounded to half a unit.
        const double away = trial % 2 == 0 ? 0.0 : 5e6;
        const auto point = [&](double scale, double middle) {
            Point p;
            for (int i = 0; i < dimension; ++i)
                p.push_back(middle + scale * (uniform(random) - 0.5));
            return p;
        };
        const Point none(dimension, 0.0);
        for (int k = 0; k < size; ++k) {
            x.push_back(point(10.0, away));
            step.push_back(point(uniform(random) < 0.5 ? 3.0 : 12.0, 0.0));
            square.push_back(square_distance(step.back().data(), none.data()));
            end.push_back(k % 7 == 0 ? 1 : 0);
            section.add(x.back().data(), step.back().data(), square.back(), end.back(), k);
        }
        section.publish();
        for (int query = 0; query < 40; ++query) {
            const Point at = point(10.0, away), along = point(6.0, 0.0);
            const double own = square_distance(along.data(), none.data()), reach = 0.7;
            double least = INFINITY;
            for (std::size_t k = 0; k < x.size(); ++k) {
                double product = 0.0;
                for (std::size_t i = 0; i < dimension; ++i) product += along[i] * step[k][i];
                const double d = square_distance(at.data(), x[k].data());
                if (d <= reach * reach * square[k] && own <= 16.0 * square[k] &&
                    square[k] <= 16.0 * own && product >= 0.5 * std::sqrt(own * square[k]))
                    least = std::min(least, d);
            }
            const Section::Found found = section.nearest(at.data(), along.data(), reach);
            const bool any = std::isfinite(least);
            differ += (found.path != Section::none) != any;
            if (any) differ += std::fabs(found.square - least) > 1e-12 * least;
            found_some += any;
            double other = INFINITY;
            for (std::size_t k = 0; k < x.size(); ++k)
                if (end[k] != 1) other = std::min(other, square_distance(at.data(), x[k].data()));
            differ += section.has_other_end(1, at.data(), 1.0) != (other <= 1.0);
            other_near += other <= 1.0;
        }
    }
    CHECK(differ == 0);
    CHECK(found_some > 200);
    CHECK(other_near > 200);
}

// Straight down from a point in the plane, nearly: heights 9, 8, ... 0 as the first coordinate falls.
Path way(double y, double z, double slope) {
    Path path;
    for (int k = 0; k < 10; ++k) {
        path.f.push_back(9.0 - k);
        path.x.insert(path.x.end(), {9.0 - k, y + slope * k, z});
    }
    return path;
}

Claim claim_of(const Paths& paths, const Path& path, std::size_t k) {
    const double* x = path.x.data() + k * dimension;
    Point step;
    for (int i = 0; i < dimension; ++i) step.push_back(x[i] - x[i - dimension]);
    Point crossing(step.size());
    return paths.find(x, step.data(), path.f[k - 1], path.f[k], crossing.data());
}

void claims() {
    Paths paths(dimension);
    paths.add(way(0.0, 0.0, 0.0), 0, 0);
    CHECK(claim_of(paths, way(0.1, 0.0, 0.0), 5).end == -1);  // not yet published
    paths.publish();
    const Claim near = claim_of(paths, way(0.1, 0.0, 0.0), 5);
    CHECK(near.end == 0 && near.owner == 0);
    CHECK_CLOSE(near.distance, 0.1, 1e-12);
    CHECK(claim_of(paths, way(0.6, 0.0, 0.0), 5).end == -1);    // beyond half a step
    CHECK(claim_of(paths, way(-25.0, 0.0, 5.0), 5).end == -1);  // near, but another direction
    // A path with another end forbids claims up to a share of the distance to it.
    paths.add(way(2.0, 0.0, 0.0), 7, 1);
    paths.publish();
    CHECK(claim_of(paths, way(0.1, 0.0, 0.0), 5).end == -1);
    CHECK(claim_of(paths, way(0.01, 0.0, 0.0), 5).end == 0);
    CHECK(claim_of(paths, way(1.99, 0.0, 0.0), 5).end == 7);
    // A way that goes on deeper is known there too.
    Path deep = way(50.0, 0.0, 0.0);
    for (double& f : deep.f) f -= 5.0;
    paths.add(deep, 3, 2);
    paths.publish();
    CHECK(claim_of(paths, deep, 8).end == 3);
    // What is forgotten is claimed no more.
    paths.forget({0, 1, 0});
    CHECK(claim_of(paths, way(1.99, 0.0, 0.0), 5).end == -1);
    CHECK(claim_of(paths, way(0.1, 0.0, 0.0), 5).end == 0);
    paths.distrust();
    CHECK(claim_of(paths, way(0.1, 0.0, 0.0), 5).end == 0);
    paths.distrust();
    CHECK(claim_of(paths, way(0.1, 0.0, 0.0), 5).end == -1);
    paths.distrust();
    CHECK(claim_of(paths, way(0.0, 0.0, 0.0), 5).end == -1);
}

// Where the function is only like that of the paths, steps count as soon as ends differ.
void like() {
    Paths paths(dimension, true);
    paths.add(way(0.0, 0.0, 0.0), 0);
    paths.publish();
    CHECK(claim_of(paths, way(0.1, 0.0, 0.0), 5).end == 0);
    paths.add(way(8.0, 0.0, 0.0), 1);
    paths.publish();
    CHECK(claim_of(paths, way(0.1, 0.0, 0.0), 5).end == -1);
    CHECK(claim_of(paths, way(0.02, 0.0, 0.0), 5).end == 0);
    paths.add(way(1.4, 0.0, 0.0), 1);
    paths.publish();
    CHECK(claim_of(paths, way(0.02, 0.0, 0.0), 5).end == -1);
}

// A start is ended where it meets a path, unless its claim is to be checked; points are in units of
// `typical`.
void followers() {
    Objective::Bounds bounds = problems::no_bounds(2);
    bounds.typical << 10.0, 0.1;
    const std::vector<double> column = {1.0, 2.0, 3.0};
    Program::Parts parts;
    parts.columns = {"x"};
    parts.parameters = {"a", "b"};
    parts.row_operations = {{Opcode::affine_, {0, 1, 0}}};
    parts.output = 1;
    const Objective objective =
        problems::objective_of(Program(parts), {column.data()}, column, {}, bounds);
    const auto go = [&](PathFollower& follower, double aside, int most) {
        Vector x(2);
        for (int k = 0; k < most; ++k) {
            x << 10.0 * (9.0 - k), 0.1 * aside;
            if (follower.passes(x, 9.0 - k)) return k;
        }
        return most;
    };
    PathFollower first(objective);
    first.begin(nullptr);
    CHECK(go(first, 0.0, 10) == 10);
    CHECK(first.end() == -1 && first.points_before() == 10 && first.path().f.size() == 10);
    CHECK_CLOSE(first.path().x[18], 0.0, 1e-15);
    CHECK_CLOSE(first.path().x[16], 1.0, 1e-15);
    Paths paths(2);
    paths.add(first.path(), 0, 5);
    paths.publish();
    PathFollower other(objective);
    other.begin(&paths);
    CHECK(go(other, 0.2, 10) == 1);  // at the first step
    CHECK(other.end() == 0 && other.claim().owner == 5);
    CHECK_CLOSE(other.claim().distance, 0.2, 1e-12);
    CHECK(other.points_before() == 1 && other.path().f.size() == 1);
    other.begin(&paths, true);
    CHECK(other.end() == -1);
    CHECK(go(other, 0.2, 10) == 10);
    CHECK(other.end() == 0 && other.points_before() == 1 && other.path().f.size() == 10);
    other.begin(&paths);
    CHECK(go(other, 0.7, 10) == 10);  // more than half a step away
    CHECK(other.end() == -1 && other.points_before() == 10);
}

// Every claim that find() would not repeat is in doubt; one far from what was found is not.
void doubts() {
    Philox random(8, 0);
    int missed = 0, in_doubt = 0, sure = 0;
    for (int trial = 0; trial < 200; ++trial) {
        Paths paths(dimension);
        for (long owner = 0; owner < 20; ++owner)
            paths.add(way(6.0 * uniform(random), 6.0 * uniform(random), 0.0),
                      trial % 2 == 0 || owner < 15 ? 0 : 1, owner);
        paths.publish();
        std::vector<Path> ways;
        std::vector<Claim> made;
        for (int k = 0; k < 40; ++k) {
            ways.push_back(way(6.0 * uniform(random), 6.0 * uniform(random), 0.0));
            made.push_back(claim_of(paths, ways.back(), 6));
            if (made.back().end >= 0) paths.count(made.back());
        }
        const Path news = way(6.0 * uniform(random), 6.0 * uniform(random), 0.0);
        std::vector<char> doubtful(made.size(), 0);
        paths.doubt(made, {{&news, 2}}, doubtful);
        paths.add(news, 2, 20);
        for (long owner = 21; owner < 32; ++owner)  // enough for it to be published
            paths.add(way(900.0 + static_cast<double>(owner), 0.0, 0.0), 0, owner);
        paths.publish();
        for (std::size_t k = 0; k < made.size(); ++k) {
            if (made[k].end < 0) continue;
            const bool stands = claim_of(paths, ways[k], 6).end == made[k].end;
            missed += !stands && doubtful[k] == 0;
            in_doubt += doubtful[k] != 0;
            sure += doubtful[k] == 0;
        }
    }
    CHECK(missed == 0);
    CHECK(in_doubt > 20);
    CHECK(sure > 5);
}

}  // namespace

void run_tests() {
    section_against_all();
    claims();
    like();
    followers();
    doubts();
}
