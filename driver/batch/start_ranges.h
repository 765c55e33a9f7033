// Which starts of a stream's receiver: a set of ranges of their numbers.
#ifndef MILLRACE_DRIVER_BATCH_START_RANGES_H_
#define MILLRACE_DRIVER_BATCH_START_RANGES_H_

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <map>

namespace millrace::internal {

// Drivers leave few ranges, however many starts are in them. Copyable.
class StartRanges {
 public:
  // All from `begin` to before `end`, which come behind those that are there.
  void Append(int64_t begin, int64_t end) {
    if (begin < end) ranges_[begin] = end;
  }

  void Remove(int64_t start) {
    const auto range = Find(start);
    if (range == ranges_.end()) return;
    const auto [begin, end] = *range;
    ranges_.erase(range);
    if (begin < start) ranges_[begin] = start;
    if (start + 1 < end) ranges_[start + 1] = end;
  }

  bool Contains(int64_t start) const { return Find(start) != ranges_.end(); }

  // Keeps the highest ranges.
  void KeepLast(size_t count) {
    while (ranges_.size() > count) ranges_.erase(ranges_.begin());
  }

  // Begin and end of each, rising.
  const std::map<int64_t, int64_t>& ranges() const { return ranges_; }

 private:
  std::map<int64_t, int64_t>::const_iterator Find(int64_t start) const {
    const auto behind = ranges_.upper_bound(start);
    if (behind == ranges_.begin()) return ranges_.end();
    const auto range = std::prev(behind);
    return start < range->second ? range : ranges_.end();
  }

  std::map<int64_t, int64_t> ranges_;
};

}  // namespace millrace::internal

#endif  // MILLRACE_DRIVER_BATCH_START_RANGES_H_
