// What one thread of a search owns: an evaluator, a solver, the path of its start and an ear for an
// interrupt.
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
    Worker(const Objective& objective, const SolverOptions& options, int row_threads,
           Monitor& monitor, bool polls)
        : evaluator(objective, row_threads, this),
          solver(evaluator, options),
          follower(objective),
          monitor_(monitor),
          polls_(polls),
          steps_between_polls_(std::clamp(2048 / objective.rows(), 1, 64)) {}

    bool requested() override {
        if (polls_ && ++asked_ % steps_between_polls_ == 0) monitor_.check();
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
    int steps_between_polls_;  // looking at the clock takes as long as a step on few rows
    int asked_ = 0;
};

// As many workers as the threads that a call asks for and its tasks can use; where the tasks are too
// few to keep all threads busy and the table is large, one worker with all threads on its rows.
// Workers are made on first use, each by its own thread, so that its memory is near that thread.
class WorkerPool {
public:
    WorkerPool(const Objective& objective, const SolverOptions& options, int threads, long tasks,
               Monitor& monitor)
        : objective_(objective), options_(options), monitor_(monitor) {
        options.check();
        const int available = thread_count(threads);
        // From some 250,000 rows on an evaluation takes so long, milliseconds, that it does not matter
        // how long a busy machine takes to wake a thread.
        const bool by_rows = objective.task_count() >= 64 && tasks < 4L * available;
        row_threads_ = by_rows ? available : 1;
        workers_.resize(
            static_cast<std::size_t>(by_rows ? 1 : std::min<long>(available, std::max(tasks, 1L))));
    }
    int size() const { return static_cast<int>(workers_.size()); }
    Worker& operator[](int worker) {
        auto& slot = workers_[static_cast<std::size_t>(worker)];
        if (!slot)
            slot =
                std::make_unique<Worker>(objective_, options_, row_threads_, monitor_, worker == 0);
        return *slot;
    }

private:
    const Objective& objective_;
    SolverOptions options_;
    Monitor& monitor_;
    int row_threads_ = 1;
    std::vector<std::unique_ptr<Worker>> workers_;
};

}  // namespace lawfit
