// What a driver daemon answers, as text and as JSON.
#ifndef MILLRACE_CLIENT_SUBMIT_SUBMIT_ANSWERS_H_
#define MILLRACE_CLIENT_SUBMIT_SUBMIT_ANSWERS_H_

#include <string>

#include "proto/submit.pb.h"

namespace millrace {

bool HasEnded(proto::SubmissionState state);

// "driver-... (word_count): FAILED, attempt 1: killed by signal 11 (Segmentation fault)", and below
// that, of one that failed, the last lines of its standard error.
std::string StatusText(const proto::SubmissionStatus& status);
std::string StatusJson(const proto::SubmissionStatus& status);

std::string ListText(const proto::ListReply& list);
std::string ListJson(const proto::ListReply& list);

// Of a request that was taken, and of one that was not.
std::string SubmittedJson(const proto::SubmitReply& reply);
std::string ErrorJson(const std::string& message);

}  // namespace millrace

#endif  // MILLRACE_CLIENT_SUBMIT_SUBMIT_ANSWERS_H_
