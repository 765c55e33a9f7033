// Ids that came up not long ago.
#ifndef MILLRACE_COMMON_BASE_RECENT_IDS_H_
#define MILLRACE_COMMON_BASE_RECENT_IDS_H_

#include <cstddef>
#include <cstdint>
#include <deque>

#include "absl/container/flat_hash_set.h"

namespace millrace {

// Remembers the last `kIdsMax`: enough to tell what comes late or twice from what is new, as
// connections never have so much under way. One thread at a time.
class RecentIds {
 public:
  static constexpr size_t kIdsMax = 8192;

  void Add(int64_t id) {
    if (!ids_.insert(id).second) return;
    order_.push_back(id);
    if (order_.size() <= kIdsMax) return;
    ids_.erase(order_.front());
    order_.pop_front();
  }
  bool Contains(int64_t id) const { return ids_.contains(id); }

 private:
  absl::flat_hash_set<int64_t> ids_;
  std::deque<int64_t> order_;  // Of the same ids, the oldest first.
};

}  // namespace millrace

#endif  // MILLRACE_COMMON_BASE_RECENT_IDS_H_
