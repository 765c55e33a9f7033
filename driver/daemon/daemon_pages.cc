#include "driver/daemon/daemon_pages.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "common/http/http_server.h"
#include "nlohmann/json.hpp"

namespace millrace {

namespace {

using Json = nlohmann::ordered_json;

std::string Dump(const Json& json) {
  // Names may hold any bytes; what is no UTF-8 is replaced.
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string TimeText(int64_t ms) {
  if (ms == 0) return "";
  return absl::FormatTime("%Y-%m-%dT%H:%M:%E3SGMT", absl::FromUnixMillis(ms), absl::UTCTimeZone());
}

Json ApplicationJson(const proto::ApplicationStatus& status) {
  Json workers = Json::array();
  for (const proto::PlacedWorker& worker : status.workers()) {
    workers.push_back({{"id", worker.worker_id()},
                       {"executorId", worker.executor_id()},
                       {"host", worker.host()},
                       {"cores", worker.cores()},
                       {"memoryMb", worker.memory_mb()}});
  }
  Json attempt = {{"startTime", TimeText(status.started_ms())},
                  {"endTime", TimeText(status.ended_ms())},
                  {"startTimeEpoch", status.started_ms()},
                  {"endTimeEpoch", status.ended_ms()},
                  {"completed", status.ended_ms() != 0}};
  return {{"id", status.app_id()},
          {"name", status.name()},
          {"attempts", Json::array({attempt})},
          {"submissionId", status.submission_id()},
          {"driver", status.driver_address()},
          {"connected", status.is_connected()},
          {"coresGranted", status.cores()},
          {"workers", workers},
          {"waiting", status.waiting()},
          {"error", status.error()}};
}

Json SubmissionJson(const proto::SubmissionStatus& status) {
  return {{"id", status.submission_id()},
          {"name", status.name()},
          {"state", proto::SubmissionState_Name(status.state())},
          {"attempt", status.attempt()},
          {"supervise", status.supervise()},
          {"applicationId", status.app_id()},
          {"submissionTime", TimeText(status.submitted_ms())},
          {"endTime", TimeText(status.ended_ms())},
          {"lastExit", status.exit().reason()}};
}

Json ExecutorJson(const proto::ExecutorStatus& status) {
  return {{"id", status.executor_id()},
          {"host", status.host()},
          {"http", status.http_address()},
          {"cores", status.cores()},
          {"coresUsed", status.cores_used()},
          {"memoryMb", status.memory_mb()},
          {"memoryMbUsed", status.memory_mb_used()},
          {"heartbeatAgeMs", status.heartbeat_age_ms()}};
}

// A table with a head; cells are escaped.
class Table {
 public:
  Table(const std::string& title, const std::vector<std::string>& head) {
    html_ = absl::StrCat("<h2>", EscapeHtml(title), "</h2>\n<table><tr>");
    for (const std::string& cell : head) absl::StrAppend(&html_, "<th>", EscapeHtml(cell), "</th>");
    absl::StrAppend(&html_, "</tr>\n");
  }
  void Row(const std::vector<std::string>& cells) {
    absl::StrAppend(&html_, "<tr>");
    for (const std::string& cell : cells)
      absl::StrAppend(&html_, "<td>", EscapeHtml(cell), "</td>");
    absl::StrAppend(&html_, "</tr>\n");
  }
  std::string html() const { return html_ + "</table>\n"; }

 private:
  std::string html_;
};

std::string ExecutorsTable(const proto::ListReply& state) {
  Table table("Executors", {"id", "host", "page", "cores used", "MiB used"});
  for (const proto::ExecutorStatus& status : state.executors()) {
    table.Row({status.executor_id(), status.host(), status.http_address(),
               absl::StrCat(status.cores_used(), " of ", status.cores()),
               absl::StrCat(status.memory_mb_used(), " of ", status.memory_mb())});
  }
  return table.html();
}

std::string ApplicationsTable(const proto::ListReply& state) {
  Table table("Applications", {"id", "name", "since", "cores", "workers", "state"});
  for (const proto::ApplicationStatus& status : state.applications()) {
    std::string workers;
    for (const proto::PlacedWorker& worker : status.workers()) {
      absl::StrAppend(&workers, workers.empty() ? "" : ", ", worker.worker_id(), " on ",
                      worker.host());
    }
    std::string what = status.is_connected() ? "running" : "its driver is away";
    if (!status.waiting().empty()) what = "waiting: " + status.waiting();
    if (status.ended_ms() != 0) what = "ended " + TimeText(status.ended_ms());
    if (!status.error().empty()) absl::StrAppend(&what, ": ", status.error());
    table.Row({status.app_id(), status.name(), TimeText(status.started_ms()),
               absl::StrCat(status.cores()), workers, what});
  }
  return table.html();
}

std::string SubmissionsTable(const proto::ListReply& state) {
  Table table("Drivers", {"id", "name", "state", "attempt", "application", "last exit"});
  for (const proto::SubmissionStatus& status : state.submissions()) {
    table.Row({status.submission_id(), status.name(), proto::SubmissionState_Name(status.state()),
               absl::StrCat(status.attempt()), status.app_id(), status.exit().reason()});
  }
  return table.html();
}

}  // namespace

std::string ApplicationsJson(const proto::ListReply& state) {
  Json list = Json::array();
  for (const auto& status : state.applications()) list.push_back(ApplicationJson(status));
  return Dump(list);
}

std::string StateJson(const proto::ListReply& state) {
  Json applications = Json::array();
  Json submissions = Json::array();
  Json executors = Json::array();
  for (const auto& status : state.applications()) applications.push_back(ApplicationJson(status));
  for (const auto& status : state.submissions()) submissions.push_back(SubmissionJson(status));
  for (const auto& status : state.executors()) executors.push_back(ExecutorJson(status));
  return Dump(
      {{"executors", executors}, {"applications", applications}, {"submissions", submissions}});
}

std::string StateHtml(const proto::ListReply& state, const std::string& master_url) {
  return absl::StrCat(
      "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Millrace</title>"
      "<style>body{font-family:sans-serif;margin:2em}table{border-collapse:collapse}"
      "td,th{border:1px solid #999;padding:.3em .6em;text-align:left}</style></head><body>\n"
      "<h1>Millrace at ",
      EscapeHtml(master_url), "</h1>\n", ExecutorsTable(state), ApplicationsTable(state),
      SubmissionsTable(state), "</body></html>\n");
}

}  // namespace millrace
