// How a solve ended, with the one sentence that users read.
#pragma once

namespace lawfit {

// X(name, succeeded, sentence)
#define LAWFIT_STATUSES(X)                                                                        \
    X(converged, true, "converged: no step can lower the objective measurably")                   \
    X(exact, true, "converged: the law passes through every target up to rounding")               \
    X(at_bound, true, "converged with at least one parameter at a bound")                         \
    X(joined, true, "stopped where it met the way of an earlier start")                           \
    X(stalled, false,                                                                             \
      "stopped: no further decrease was found although the gradient is not zero; the objective "  \
      "may be rough or badly scaled here")                                                        \
    X(evaluation_limit, false, "stopped at the limit of evaluations before converging")           \
    X(sliding, false,                                                                             \
      "stopped: the objective hardly falls any more and has no minimum near; a parameter may be " \
      "running to infinity along a flat valley")                                                  \
    X(bad_start, false, "not started: the objective is not finite at the start")                  \
    X(interrupted, false, "interrupted before converging")                                        \
    X(not_run, false, "not run")

enum class Status : int {
#define LAWFIT_STATUS_ENUM(name, succeeded, sentence) name,
    LAWFIT_STATUSES(LAWFIT_STATUS_ENUM)
#undef LAWFIT_STATUS_ENUM
};

constexpr bool succeeded(Status s) {
#define LAWFIT_STATUS_OK(name, ok, sentence) \
    if (s == Status::name) return ok;
    LAWFIT_STATUSES(LAWFIT_STATUS_OK)
#undef LAWFIT_STATUS_OK
    return false;
}

}  // namespace lawfit
