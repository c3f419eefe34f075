// Walks away from a minimum along rays, minimising over everything but the coordinates that a ray
// moves: what a profile or a contour of the objective is made of.
#pragma once

#include <vector>

#include <lawfit/objective/objective.hpp>
#include <lawfit/parallel.hpp>
#include <lawfit/solver/solver.hpp>

namespace lawfit {

// Point t of a ray holds the coordinates i with direction[i] != 0 at x[i] + t direction[i].
// The height of a point is sqrt(2 (F - F(x)) / unit).
struct RayOptions {
    double unit = 1.0;          // of the objective
    double height_step = 0.25;  // wanted between neighbouring points
    double height_end = 3.5;    // a ray ends at the first point as high
    int max_points = 80;        // of one ray
};

// reached: height_end; open: the ray went as far as it may and stayed below; bound: a bound of a
// held coordinate stopped it; failed: no finite objective further on.
enum class RayEnd : int { reached, open, bound, failed };

struct RayPoints {
    int dimension = 0;
    std::vector<int> ray;           // (points,) ascending, t ascending within
    std::vector<double> t;          // (points,)
    std::vector<double> x;          // (points, dimension) row-major
    std::vector<double> objective;  // (points,)
    std::vector<double> slope;      // (points,) dF / dt
    std::vector<int> status;        // (points,)
    std::vector<int> end;           // (rays,) RayEnd
    long evaluations = 0;
    bool interrupted = false;
};

// x: (dimension,) a minimum; directions: (rays, dimension) row-major, each such that the height grows
// by about 1 per unit of t; reach: (rays,) the largest t. Every point is solved from its predecessor,
// then, on the way back, from its successor, and the lower one counts. Rays share the threads; each
// depends on nothing but its own direction.
RayPoints walk_rays(const Objective& objective, const Vector& x, const double* directions,
                    const double* reach, long rays, const RayOptions& ray_options,
                    const SolverOptions& options, int threads, Monitor& monitor);

struct HeldSolutions {
    std::vector<double> x;  // (starts, dimension) row-major
    std::vector<double> objective;
    std::vector<int> status;
    bool interrupted = false;
};

// Minimises from each start with the coordinates `held` staying where they are there.
HeldSolutions solve_held(const Objective& objective, const double* starts, long count,
                         const std::vector<int>& held, const SolverOptions& options, int threads,
                         Monitor& monitor);

}  // namespace lawfit
