#include "common/base/annotate_status.h"

#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace millrace {
namespace {

bool StartsWithContext(std::string_view message, std::string_view context) {
  return message.starts_with(context) && message.substr(context.size()).starts_with(": ");
}

}  // namespace

absl::Status AnnotateStatus(const absl::Status& status, std::string_view context) {
  if (status.ok() || StartsWithContext({status.message().data(), status.message().size()}, context))
    return status;
  absl::Status annotated(
      status.code(),
      absl::StrCat(absl::string_view(context.data(), context.size()), ": ", status.message()));
  status.ForEachPayload([&annotated](absl::string_view type_url, const absl::Cord& payload) {
    annotated.SetPayload(type_url, payload);
  });
  return annotated;
}

}  // namespace millrace
