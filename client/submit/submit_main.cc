// millrace-submit: runs a program, here or in a cluster, and asks a cluster how it is doing.
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <iostream>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <variant>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "client/submit/cluster_client.h"
#include "client/submit/run_program.h"
#include "client/submit/submit_answers.h"
#include "client/submit/submit_options.h"
#include "common/base/annotate_status.h"
#include "common/base/status_macros.h"
#include "common/config/demand.h"
#include "common/config/keys.h"
#include "common/fs/local_file_system.h"
#include "common/fs/path.h"
#include "glog/logging.h"

namespace millrace {
namespace {

constexpr int64_t kWaitMs = 30'000;
// How long a driver daemon may be away while its answer is waited for: what it runs goes on, and it
// may be started again.
constexpr std::chrono::seconds kAwayMax{60};
constexpr std::chrono::seconds kAskAgain{1};

void Print(const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fflush(stdout);
}

// A line of the terminal that is written again and again.
class ProgressLine {
 public:
  explicit ProgressLine(bool is_shown) : is_shown_(is_shown && ::isatty(STDERR_FILENO) == 1) {}
  ~ProgressLine() {
    if (has_text_) std::fputs("\r\033[K", stderr);
  }
  void Show(const std::string& text) {
    if (!is_shown_) return;
    std::fprintf(stderr, "\r%s\033[K", text.c_str());
    std::fflush(stderr);
    has_text_ = true;
  }

 private:
  const bool is_shown_;
  bool has_text_ = false;
};

// What the driver in the cluster is given: files lie in its working directory there, and the
// cluster's daemons have secrets of their own.
Conf ConfInCluster(const SubmitOptions& options) {
  Conf conf = options.conf;
  for (const ConfKeyInfo* key :
       std::initializer_list<const ConfKeyInfo*>{&keys::kMaster, &keys::kAuthenticateSecretFile,
                                                 &keys::kTlsCert, &keys::kTlsKey, &keys::kTlsCa}) {
    conf.Remove(key->name);
  }
  if (const auto files = conf.GetString(keys::kFiles)) {
    std::vector<std::string> names;
    for (const auto path : absl::StrSplit(*files, ',', absl::SkipEmpty())) {
      names.emplace_back(BaseName({path.data(), path.size()}));
    }
    conf.Set(keys::kFiles.name, absl::StrJoin(names, ","));
  }
  return conf;
}

template <class Ask>
auto AskUntilAnswered(const Ask& ask) {
  const auto give_up = std::chrono::steady_clock::now() + kAwayMax;
  for (;;) {
    auto answer = ask();
    const bool is_away = absl::IsUnavailable(answer.status());
    if (!is_away || std::chrono::steady_clock::now() >= give_up) return answer;
    std::this_thread::sleep_for(kAskAgain);
  }
}

absl::StatusOr<proto::SubmissionStatus> AwaitStatus(ClusterClient& client, const std::string& id) {
  return AskUntilAnswered([&] { return client.GetStatus(id, kWaitMs); });
}

// Until it has ended: 0 when it has done its work.
absl::StatusOr<int> AwaitEnd(ClusterClient& client, const std::string& id, bool is_json) {
  proto::SubmissionStatus status;
  {
    ProgressLine progress(!is_json);
    do {
      progress.Show(status.submission_id().empty() ? "waiting for " + id : StatusText(status));
      ASSIGN_OR_RETURN(status, AwaitStatus(client, id));
    } while (!HasEnded(status.state()));
  }
  Print(is_json ? StatusJson(status) : StatusText(status));
  return status.state() == proto::FINISHED ? kExitDone : kExitFailed;
}

absl::StatusOr<int> SubmitToCluster(const SubmitOptions& options, ClusterClient& client,
                                    FileSystem& fs) {
  proto::SubmitRequest request;
  ASSIGN_OR_RETURN(
      const std::vector<ArtifactFile> files,
      DescribeProgram(fs, options.program, options.conf.GetString(keys::kFiles).value_or(""),
                      *request.mutable_program()));
  request.mutable_program()->set_name(std::string(BaseName(options.program)));
  for (const std::string& argument : SettingArguments(ConfInCluster(options))) {
    request.mutable_program()->add_argv(argument);
  }
  for (const std::string& argument : options.arguments) {
    request.mutable_program()->add_argv(argument);
  }
  request.set_name(options.conf.GetString(keys::kAppName).value_or(""));
  request.set_supervise(options.is_supervised);
  ASSIGN_OR_RETURN(const int64_t driver_bytes, options.conf.GetBytes(keys::kDriverMemory));
  request.set_driver_memory_mb(driver_bytes >> 20);
  ASSIGN_OR_RETURN(*request.mutable_demand(), DemandOf(options.conf));
  std::random_device random;
  request.set_request_id(absl::StrCat(absl::Hex(random(), absl::kZeroPad8),
                                      absl::Hex(random(), absl::kZeroPad8),
                                      absl::Hex(random(), absl::kZeroPad8)));
  {
    ProgressLine progress(!options.is_json);
    RETURN_IF_ERROR(client.Upload(fs, files, [&](int64_t sent_bytes, int64_t bytes) {
      progress.Show(absl::StrCat("sending ", sent_bytes >> 20, " of ", bytes >> 20, " MiB"));
    }));
  }
  // Its id tells the daemon when it has it already.
  ASSIGN_OR_RETURN(const proto::SubmitReply reply,
                   AskUntilAnswered([&] { return client.Submit(request); }));
  if (!reply.warning().empty() && !options.is_json) {
    std::fprintf(stderr, "millrace-submit: it will wait for workers: %s\n",
                 reply.warning().c_str());
  }
  if (options.waits) {
    if (!options.is_json) Print(reply.submission_id() + "\n");
    return AwaitEnd(client, reply.submission_id(), options.is_json);
  }
  Print(options.is_json ? SubmittedJson(reply) : reply.submission_id() + "\n");
  return kExitDone;
}

absl::StatusOr<int> AskCluster(const SubmitOptions& options, FileSystem& fs) {
  ASSIGN_OR_RETURN(
      const std::unique_ptr<ClusterClient> client,
      ClusterClient::Connect(std::get<ClusterMaster>(options.master), options.security));
  switch (options.verb) {
    case SubmitVerb::kRun:
      return SubmitToCluster(options, *client, fs);
    case SubmitVerb::kStatus: {
      ASSIGN_OR_RETURN(const auto status, client->GetStatus(options.id, /*wait_ms=*/0));
      if (options.waits) return AwaitEnd(*client, options.id, options.is_json);
      Print(options.is_json ? StatusJson(status) : StatusText(status));
      return kExitDone;
    }
    case SubmitVerb::kKill: {
      ASSIGN_OR_RETURN(auto status, client->Kill(options.id));
      while (options.waits && !HasEnded(status.state())) {
        ASSIGN_OR_RETURN(status, AwaitStatus(*client, options.id));
      }
      Print(options.is_json ? StatusJson(status)
                            : (HasEnded(status.state()) ? StatusText(status)
                                                        : options.id + " is told to end\n"));
      return kExitDone;
    }
    case SubmitVerb::kList: {
      ASSIGN_OR_RETURN(const auto list, client->List());
      Print(options.is_json ? ListJson(list) : ListText(list));
      return kExitDone;
    }
    case SubmitVerb::kLogs:
      RETURN_IF_ERROR(client->ReadLogs(options.id, [](const proto::LogChunk& chunk) {
        std::fwrite(chunk.data().data(), 1, chunk.data().size(),
                    chunk.is_stderr() ? stderr : stdout);
      }));
      return kExitDone;
  }
  return kExitUsage;
}

int Main(const std::vector<std::string>& argv) {
  LocalFileSystem fs;
  auto parsed = ParseSubmitOptions(argv, fs, std::cout, std::cerr);
  if (const auto* exit = std::get_if<SubmitExit>(&parsed)) return exit->code;
  const SubmitOptions& options = std::get<SubmitOptions>(parsed);
  const bool is_here = options.verb == SubmitVerb::kRun && !options.is_cluster_mode;
  const absl::StatusOr<int> code = is_here ? RunProgramHere(options) : AskCluster(options, fs);
  if (code.ok()) return *code;
  const std::string message(code.status().message());
  if (options.is_json) Print(ErrorJson(message));
  std::fprintf(stderr, "millrace-submit: %s\n", message.c_str());
  return kExitFailed;
}

}  // namespace
}  // namespace millrace

int main(int argc, char** argv) {
  FLAGS_logtostderr = true;
  FLAGS_minloglevel = google::GLOG_WARNING;
  google::InitGoogleLogging(argv[0]);
  return millrace::Main({argv, argv + argc});
}
