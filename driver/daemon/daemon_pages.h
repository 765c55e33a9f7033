// What runs where, for people and programs that ask over HTTP.
#ifndef MILLRACE_DRIVER_DAEMON_DAEMON_PAGES_H_
#define MILLRACE_DRIVER_DAEMON_DAEMON_PAGES_H_

#include <string>

#include "proto/submit.pb.h"

namespace millrace {

// /api/v1/applications: a list, in Spark's form with what it lacks.
std::string ApplicationsJson(const proto::ListReply& state);

// /json: everything.
std::string StateJson(const proto::ListReply& state);

// The page for people.
std::string StateHtml(const proto::ListReply& state, const std::string& master_url);

}  // namespace millrace

#endif  // MILLRACE_DRIVER_DAEMON_DAEMON_PAGES_H_
