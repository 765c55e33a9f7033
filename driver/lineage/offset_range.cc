#include "driver/lineage/offset_range.h"

#include "absl/strings/str_cat.h"

namespace millrace {

std::string ToString(const OffsetRange& range) {
  return absl::StrCat("topic: ", range.topic, ", partition: ", range.partition,
                      ", offsets: ", range.from_offset, " to ", range.until_offset);
}

}  // namespace millrace
