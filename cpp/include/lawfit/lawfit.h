/* lawfit for other languages: load a law, predict with it, fit it. Plain C, opaque handles, error codes.
 *
 * Every function that can fail returns a lawfit_status or NULL; lawfit_error_message() then says why.
 * A model is not changed after it was loaded: threads may share it. Arrays are the caller's and are
 * only read, or written where a comment says so, during the call. */
#ifndef LAWFIT_LAWFIT_H
#define LAWFIT_LAWFIT_H

#include <stddef.h>
#include <stdint.h>

#if defined(_WIN32)
#if defined(LAWFIT_C_BUILD)
#define LAWFIT_C_API __declspec(dllexport)
#else
#define LAWFIT_C_API __declspec(dllimport)
#endif
#else
#define LAWFIT_C_API __attribute__((visibility("default")))
#endif

#ifdef __cplusplus
extern "C" {
#endif

typedef enum lawfit_status {
    LAWFIT_OK = 0,
    LAWFIT_FIT_FAILED = 1,    /* no start converged; results are filled in as far as there are any */
    LAWFIT_BAD_INPUT = 2,     /* the message says what was given and what was expected */
    LAWFIT_OUT_OF_MEMORY = 3,
    LAWFIT_INTERNAL_ERROR = 4 /* an error of the library */
} lawfit_status;

typedef struct lawfit_model lawfit_model;

typedef struct lawfit_fit_options {
    int64_t starts;       /* quasi-random starts; 0: 100 */
    uint64_t seed;
    int32_t threads;      /* 0: all that OMP_NUM_THREADS allows */
    const double* weight; /* (rows,) or NULL: multiplies the loss of a row */
    const double* sigma;  /* (rows,) or NULL: divides the residual of a row */
} lawfit_fit_options;

typedef struct lawfit_fit_summary {
    double objective;
    double scale;         /* fitted scale of the residuals; 0 where it is fixed */
    int64_t starts, hits; /* hits ended within 1e-6 (relative) of the best objective */
    int64_t evaluations;
    const char* message;  /* how the best start ended; lives as long as the library */
} lawfit_fit_summary;

LAWFIT_C_API const char* lawfit_version(void);

/* Why the last call of this thread failed; lives until its next call. */
LAWFIT_C_API const char* lawfit_error_message(void);

/* From the JSON that Python's lawfit.export_model writes; `length` bytes. NULL when it is no model. */
LAWFIT_C_API lawfit_model* lawfit_model_load(const char* json, size_t length);
LAWFIT_C_API void lawfit_model_free(lawfit_model* model); /* NULL is allowed */

/* Names live as long as the model; NULL when there is none of that number. */
LAWFIT_C_API const char* lawfit_model_formula(const lawfit_model* model);
LAWFIT_C_API int32_t lawfit_model_column_count(const lawfit_model* model);
LAWFIT_C_API const char* lawfit_model_column(const lawfit_model* model, int32_t k);
LAWFIT_C_API int32_t lawfit_model_parameter_count(const lawfit_model* model);
LAWFIT_C_API const char* lawfit_model_parameter(const lawfit_model* model, int32_t k);
/* values: (parameters,), written: the values that the model came with. Fails if it came without. */
LAWFIT_C_API lawfit_status lawfit_model_values(const lawfit_model* model, double* values);

/* columns: one pointer per column of the model to (rows,). parameters: (parameters,), natural units.
 * out: (rows,), written. */
LAWFIT_C_API lawfit_status lawfit_model_predict(const lawfit_model* model,
                                                const double* const* columns, int64_t rows,
                                                const double* parameters, double* out);

/* target: (rows,). parameters: (parameters,), written, natural units. options and summary may be NULL. */
LAWFIT_C_API lawfit_status lawfit_model_fit(const lawfit_model* model, const double* const* columns,
                                            const double* target, int64_t rows,
                                            const lawfit_fit_options* options, double* parameters,
                                            lawfit_fit_summary* summary);

#ifdef __cplusplus
}
#endif

#endif
