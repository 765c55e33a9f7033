#include "client/local/program_flags.h"

#include <gflags/gflags.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/annotate_status.h"
#include "common/config/keys.h"
#include "common/config/properties.h"

namespace millrace::internal {
namespace {

constexpr std::string_view kFlag = "millrace_conf";

absl::string_view Absl(std::string_view text) { return {text.data(), text.size()}; }

Conf& TheProgramConf() {
  static Conf& conf = *new Conf;
  return conf;
}

std::vector<std::string>& TheProgramArguments() {
  static auto& arguments = *new std::vector<std::string>;
  return arguments;
}

// "--millrace_conf=x" -> "=x"; nothing for other arguments.
bool IsConfFlag(std::string_view argument, std::string_view* rest) {
  if (!argument.starts_with('-')) return false;
  argument.remove_prefix(argument.starts_with("--") ? 2 : 1);
  if (!argument.starts_with(kFlag)) return false;
  *rest = argument.substr(kFlag.size());
  return rest->empty() || rest->front() == '=';
}

}  // namespace

absl::StatusOr<Conf> TakeConfFlags(int* argc, char** argv) {
  Conf conf;
  std::vector<char*> others;
  int i = 0;
  for (; i < *argc && std::string_view(argv[i]) != "--"; ++i) {
    std::string_view rest;
    if (i == 0 || !IsConfFlag(argv[i], &rest)) {
      others.push_back(argv[i]);
      continue;
    }
    std::string_view assignment;
    if (!rest.empty()) {
      assignment = rest.substr(1);
    } else if (i + 1 < *argc) {
      assignment = argv[++i];
    } else {
      return absl::InvalidArgumentError("--millrace_conf needs a value: KEY=VALUE");
    }
    if (absl::Status status = SetFromAssignment(assignment, conf); !status.ok()) {
      return AnnotateStatus(status, "--millrace_conf");
    }
  }
  for (; i < *argc; ++i) others.push_back(argv[i]);
  for (size_t k = 0; k < others.size(); ++k) argv[k] = others[k];
  *argc = static_cast<int>(others.size());
  argv[*argc] = nullptr;
  return conf;
}

void SetDefinedFlags(const std::vector<std::string>& arguments) {
  for (size_t i = 1; i < arguments.size() && arguments[i] != "--"; ++i) {
    std::string_view name = arguments[i];
    if (!name.starts_with('-')) continue;
    name.remove_prefix(name.starts_with("--") ? 2 : 1);
    const size_t equals = name.find('=');
    std::string flag(name.substr(0, equals));
    std::string value = equals == name.npos ? "true" : std::string(name.substr(equals + 1));
    gflags::CommandLineFlagInfo info;
    if (!gflags::GetCommandLineFlagInfo(flag.c_str(), &info)) {
      // --noverbose
      const bool is_negation = equals == name.npos && flag.starts_with("no") &&
                               gflags::GetCommandLineFlagInfo(flag.c_str() + 2, &info) &&
                               info.type == "bool";
      if (!is_negation) continue;
      flag = info.name;
      value = "false";
    } else if (equals == name.npos && info.type != "bool") {
      if (i + 1 == arguments.size()) return;
      value = arguments[++i];
    }
    gflags::SetCommandLineOption(flag.c_str(), value.c_str());
  }
}

const std::vector<std::string>& ProgramArguments() { return TheProgramArguments(); }

void SetProgramArguments(std::vector<std::string> arguments) {
  TheProgramArguments() = std::move(arguments);
}

std::vector<std::string> WorkerArguments(const Conf& conf) {
  std::vector<std::string> arguments = ProgramArguments();
  const std::string key(keys::kMemoryFraction.name);
  const auto value = conf.Get(key);
  if (!value.has_value() || value == ProgramConf().Get(key)) return arguments;
  // Behind the command line's own, for the last one counts.
  arguments.insert(std::find(arguments.begin(), arguments.end(), "--"),
                   absl::StrCat("--", Absl(kFlag), "=", key, "=", *value));
  return arguments;
}

const Conf& ProgramConf() { return TheProgramConf(); }

void SetProgramConf(Conf conf) { TheProgramConf() = std::move(conf); }

}  // namespace millrace::internal
