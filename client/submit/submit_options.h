// What the command line of millrace-submit says.
#ifndef MILLRACE_CLIENT_SUBMIT_SUBMIT_OPTIONS_H_
#define MILLRACE_CLIENT_SUBMIT_SUBMIT_OPTIONS_H_

#include <ostream>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "common/config/conf.h"
#include "common/config/master_url.h"
#include "common/fs/file_system.h"
#include "common/rpc/rpc_security.h"

namespace millrace {

enum class SubmitVerb { kRun, kStatus, kKill, kList, kLogs };

struct SubmitOptions {
  SubmitVerb verb = SubmitVerb::kRun;
  std::string id;  // Of the verbs that take one.
  std::string program;
  std::vector<std::string> arguments;  // The program's.
  MasterUrl master;
  bool is_cluster_mode = false;
  bool is_supervised = false;
  bool waits = false;
  bool is_json = false;
  // All settings: options of the command line before the properties file.
  Conf conf;
  RpcSecurityOptions security;
};

// The process is done: --help, --version, or a line that is wrong, which has been said.
struct SubmitExit {
  int code = 0;
};

inline constexpr int kExitDone = 0;
inline constexpr int kExitFailed = 1;
inline constexpr int kExitUsage = 2;

// Help and the origins of settings (--verbose) go to `out`, what is wrong to `err`.
std::variant<SubmitOptions, SubmitExit> ParseSubmitOptions(const std::vector<std::string>& argv,
                                                           FileSystem& fs, std::ostream& out,
                                                           std::ostream& err);

}  // namespace millrace

#endif  // MILLRACE_CLIENT_SUBMIT_SUBMIT_OPTIONS_H_
