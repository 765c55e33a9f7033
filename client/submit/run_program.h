// A program that runs where it is submitted.
#ifndef MILLRACE_CLIENT_SUBMIT_RUN_PROGRAM_H_
#define MILLRACE_CLIENT_SUBMIT_RUN_PROGRAM_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "client/submit/submit_options.h"

namespace millrace {

// The settings as arguments of the program that `millrace::Init` takes.
std::vector<std::string> SettingArguments(const Conf& conf);

// Runs the program, whose streams are ours, to its end: 0 or 1. SIGTERM, SIGINT and SIGHUP are
// handed on (those of a terminal reach it anyway), and it dies when this process does.
absl::StatusOr<int> RunProgramHere(const SubmitOptions& options);

}  // namespace millrace

#endif  // MILLRACE_CLIENT_SUBMIT_RUN_PROGRAM_H_
