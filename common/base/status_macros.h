// Passing errors on. Not for public headers: the macros would leak into user programs.
#ifndef MILLRACE_COMMON_BASE_STATUS_MACROS_H_
#define MILLRACE_COMMON_BASE_STATUS_MACROS_H_

#include <utility>

#include "absl/base/optimization.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"

// Returns the status of `expr` (an absl::Status) from the enclosing function unless it is OK.
//   RETURN_IF_ERROR(file->Sync());
#define RETURN_IF_ERROR(...)                                                                       \
  do {                                                                                             \
    if (absl::Status millrace_status = (__VA_ARGS__); ABSL_PREDICT_FALSE(!millrace_status.ok())) { \
      return millrace_status;                                                                      \
    }                                                                                              \
  } while (false)

// Puts the value of `expr` (an absl::StatusOr<T>) into `lhs`, or returns its status. `lhs` may
// declare a variable but must hold no comma; it is not evaluated when there is an error.
//   ASSIGN_OR_RETURN(const int port, ParsePort(text));
#define ASSIGN_OR_RETURN(lhs, ...) \
  MILLRACE_ASSIGN_OR_RETURN_(MILLRACE_CONCAT_(millrace_status_or_, __LINE__), lhs, (__VA_ARGS__))

#define MILLRACE_ASSIGN_OR_RETURN_(result, lhs, expr)                      \
  auto result = expr;                                                      \
  if (ABSL_PREDICT_FALSE(!result.ok())) return std::move(result).status(); \
  lhs = *std::move(result)

#define MILLRACE_CONCAT_(a, b) MILLRACE_CONCAT_INNER_(a, b)
#define MILLRACE_CONCAT_INNER_(a, b) a##b

#endif  // MILLRACE_COMMON_BASE_STATUS_MACROS_H_
