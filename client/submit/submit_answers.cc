#include "client/submit/submit_answers.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "nlohmann/json.hpp"

namespace millrace {

namespace {

using Json = nlohmann::ordered_json;

std::string Dump(const Json& json) {
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

Json JsonOf(const proto::SubmissionStatus& status) {
  Json json = {{"id", status.submission_id()},
               {"name", status.name()},
               {"state", proto::SubmissionState_Name(status.state())},
               {"attempt", status.attempt()},
               {"supervise", status.supervise()},
               {"applicationId", status.app_id()},
               {"submittedMs", status.submitted_ms()},
               {"endedMs", status.ended_ms()}};
  if (status.has_exit()) {
    json["exit"] = {{"code", status.exit().code()},
                    {"signal", status.exit().signal()},
                    {"reason", status.exit().reason()},
                    {"lastStderr", status.exit().last_stderr()}};
  }
  return json;
}

Json JsonOf(const proto::ApplicationStatus& status) {
  Json workers = Json::array();
  for (const proto::PlacedWorker& worker : status.workers()) {
    workers.push_back({{"id", worker.worker_id()},
                       {"executorId", worker.executor_id()},
                       {"host", worker.host()},
                       {"cores", worker.cores()},
                       {"memoryMb", worker.memory_mb()}});
  }
  return {{"id", status.app_id()},
          {"name", status.name()},
          {"submissionId", status.submission_id()},
          {"driver", status.driver_address()},
          {"startedMs", status.started_ms()},
          {"endedMs", status.ended_ms()},
          {"cores", status.cores()},
          {"workers", workers},
          {"waiting", status.waiting()},
          {"error", status.error()}};
}

Json JsonOf(const proto::ExecutorStatus& status) {
  return {{"id", status.executor_id()},
          {"host", status.host()},
          {"http", status.http_address()},
          {"cores", status.cores()},
          {"coresUsed", status.cores_used()},
          {"memoryMb", status.memory_mb()},
          {"memoryMbUsed", status.memory_mb_used()}};
}

template <class Statuses>
Json JsonOfAll(const Statuses& statuses) {
  Json list = Json::array();
  for (const auto& status : statuses) list.push_back(JsonOf(status));
  return list;
}

std::string ApplicationLine(const proto::ApplicationStatus& status) {
  std::string what = status.is_connected() ? "running" : "its driver is away";
  if (status.ended_ms() != 0) what = status.error().empty() ? "ended" : "failed";
  if (!status.waiting().empty() && status.ended_ms() == 0) what = "waiting: " + status.waiting();
  return absl::StrFormat("  %s  %s  %d cores in %d workers  %s\n", status.app_id(), status.name(),
                         status.cores(), status.workers_size(), what);
}

}  // namespace

bool HasEnded(proto::SubmissionState state) {
  return state == proto::FINISHED || state == proto::FAILED || state == proto::KILLED;
}

std::string StatusText(const proto::SubmissionStatus& status) {
  std::string text = absl::StrCat(status.submission_id(), " (", status.name(),
                                  "): ", proto::SubmissionState_Name(status.state()), ", attempt ",
                                  status.attempt());
  if (!status.app_id().empty()) absl::StrAppend(&text, ", application ", status.app_id());
  const bool is_failure = status.exit().code() != 0 || status.exit().signal() != 0;
  if (!is_failure || status.state() == proto::RUNNING) return text + "\n";
  absl::StrAppend(&text, ": ", status.exit().reason(), "\n");
  if (status.state() != proto::KILLED && !status.exit().last_stderr().empty()) {
    absl::StrAppend(&text, "the end of its standard error:\n", status.exit().last_stderr());
    if (!text.ends_with('\n')) text += '\n';
  }
  return text;
}

std::string StatusJson(const proto::SubmissionStatus& status) { return Dump(JsonOf(status)); }

std::string ListText(const proto::ListReply& list) {
  std::string text = absl::StrCat("executors: ", list.executors_size(), "\n");
  for (const proto::ExecutorStatus& status : list.executors()) {
    absl::StrAppendFormat(&text, "  %s  %d of %d cores used, %d of %d MiB used\n",
                          status.executor_id(), status.cores_used(), status.cores(),
                          status.memory_mb_used(), status.memory_mb());
  }
  absl::StrAppend(&text, "applications: ", list.applications_size(), "\n");
  for (const auto& status : list.applications()) text += ApplicationLine(status);
  absl::StrAppend(&text, "drivers: ", list.submissions_size(), "\n");
  for (const proto::SubmissionStatus& status : list.submissions()) {
    absl::StrAppendFormat(&text, "  %s  %s  %s, attempt %d\n", status.submission_id(),
                          status.name(), proto::SubmissionState_Name(status.state()),
                          status.attempt());
  }
  return text;
}

std::string ListJson(const proto::ListReply& list) {
  return Dump({{"executors", JsonOfAll(list.executors())},
               {"applications", JsonOfAll(list.applications())},
               {"submissions", JsonOfAll(list.submissions())}});
}

std::string SubmittedJson(const proto::SubmitReply& reply) {
  return Dump({{"id", reply.submission_id()}, {"warning", reply.warning()}});
}

std::string ErrorJson(const std::string& message) { return Dump({{"error", message}}); }

}  // namespace millrace
