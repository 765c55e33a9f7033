// What the settings say about a streaming run.
#ifndef MILLRACE_CLIENT_LOCAL_STREAMING_SETTINGS_H_
#define MILLRACE_CLIENT_LOCAL_STREAMING_SETTINGS_H_

#include "absl/status/statusor.h"
#include "common/config/conf.h"
#include "driver/batch/streaming_handle.h"

namespace millrace::internal {

// All of the spec but its graph, interval and receivers. InvalidArgument: a value is wrong.
absl::StatusOr<StreamingSpec> ReadStreamingSettings(const Conf& conf);

bool ShowsConsoleProgress(const Conf& conf);
// Whether a signal lets what was received be processed.
bool StopsGracefullyOnShutdown(const Conf& conf);
// Whether stopping a streaming context stops its Context too where the program does not say.
bool StopsContextByDefault(const Conf& conf);

}  // namespace millrace::internal

#endif  // MILLRACE_CLIENT_LOCAL_STREAMING_SETTINGS_H_
