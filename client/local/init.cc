#include <millrace/init.h>

#include <cstdio>
#include <cstdlib>
#include <utility>

#include "client/local/program_flags.h"
#include "glog/logging.h"

namespace millrace {

void Init(int* argc, char*** argv) {
  absl::StatusOr<Conf> conf = internal::TakeConfFlags(argc, *argv);
  if (!conf.ok()) {
    std::fprintf(stderr, "%s: %s\n", (*argv)[0], std::string(conf.status().message()).c_str());
    std::exit(2);
  }
  internal::SetProgramConf(*std::move(conf));
  // A program that has set glog up itself keeps it as it is.
  if (google::IsGoogleLoggingInitialized()) return;
  FLAGS_logtostderr = true;
  FLAGS_minloglevel = google::GLOG_WARNING;
  google::InitGoogleLogging((*argv)[0]);
}

}  // namespace millrace
