// What one thread of a search owns: an evaluator, a solver, the path of its start and its way of noticing an interrupt.
#pragma once

#include <algorithm>
#include <memory>
#include <vector>

#include <lawfit/parallel.hpp>
#include <lawfit/search/paths.hpp>
#include <lawfit/solver/solver.hpp>

namespace lawfit {

class Worker final : public Interrupt {
public:
    Worker(const Objective& objective, const SolverOptions& options, Monitor& monitor, bool polls)
        : evaluator(objective),
          solver(evaluator, options),
          follower(objective),
          monitor_(monitor),
          polls_(polls) {}

    bool requested() override {
        if (polls_) monitor_.check();
        return monitor_.stopped();
    }

    ObjectiveEvaluator evaluator;
    Solver solver;
    PathFollower follower;
    Solution solution;
    Vector start;

private:
    Monitor& monitor_;
    bool polls_;
};

// As many workers as the threads that a call asks for and its tasks can use. They are made on first
// use, each by its own thread, so that its memory is near that thread.
class WorkerPool {
public:
    WorkerPool(const Objective& objective, const SolverOptions& options, int threads, long tasks,
               Monitor& monitor)
        : objective_(objective),
          options_(options),
          monitor_(monitor),
          workers_(static_cast<std::size_t>(
              std::min<long>(thread_count(threads), std::max(tasks, 1L)))) {
        options.check();
    }
    int size() const { return static_cast<int>(workers_.size()); }
    Worker& operator[](int worker) {
        auto& slot = workers_[static_cast<std::size_t>(worker)];
        if (!slot) slot = std::make_unique<Worker>(objective_, options_, monitor_, worker == 0);
        return *slot;
    }

private:
    const Objective& objective_;
    SolverOptions options_;
    Monitor& monitor_;
    std::vector<std::unique_ptr<Worker>> workers_;
};

}  // namespace lawfit
