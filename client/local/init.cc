#include <millrace/init.h>

#include <cstdio>
#include <cstdlib>
#include <utility>

#include "client/cluster/worker_process.h"
#include "client/local/program_flags.h"
#include "glog/logging.h"

namespace millrace {

namespace {

void SetUpLogging(const char* program) {
  // A program that has set glog up itself keeps it as it is.
  if (google::IsGoogleLoggingInitialized()) return;
  FLAGS_logtostderr = true;
  FLAGS_minloglevel = google::GLOG_WARNING;
  google::InitGoogleLogging(program);
}

}  // namespace

void Init(int* argc, char*** argv) {
  internal::SetProgramArguments({*argv, *argv + *argc});
  absl::StatusOr<Conf> conf = internal::TakeConfFlags(argc, *argv);
  if (!conf.ok()) {
    std::fprintf(stderr, "%s: %s\n", (*argv)[0], std::string(conf.status().message()).c_str());
    std::exit(2);
  }
  internal::SetProgramConf(*std::move(conf));
  SetUpLogging((*argv)[0]);
  if (!internal::IsWorkerProcess()) return;
  // Functions read the same flags everywhere.
  internal::SetDefinedFlags(internal::ProgramArguments());
  const int exit_code = internal::RunWorkerProcess();
  // Without destructors of static objects: user code may still run.
  std::fflush(nullptr);
  google::FlushLogFiles(google::GLOG_INFO);
  std::_Exit(exit_code);
}

}  // namespace millrace
