// A window over combined data sets that costs the same for every length.
#ifndef MILLRACE_CLIENT_DSTREAM_AGGREGATE_WINDOW_NODE_H_
#define MILLRACE_CLIENT_DSTREAM_AGGREGATE_WINDOW_NODE_H_

#include <chrono>
#include <cstdint>
#include <map>
#include <vector>

#include "client/dstream/dstream_node.h"
#include "client/dstream/stream_ref.h"

namespace millrace::internal {

// At time t: the parent's data sets of (t - length, t], combined by an associative function.
//
// Time is cut into panes, the longest stretches that both length and slide are multiples of, and
// panes into epochs of half a window. A window is put together from at most three data sets that
// are kept by the workers:
//
//       epoch e-2     |     epoch e-1     |     epoch e
//            |-suffix-|------whole--------|--prefix--|
//            ^ window's start                        ^ t
//
// A prefix is the one before it and the newest panes. Suffixes are prepared, from the end of an
// epoch to its front, while the next epoch goes by: with each slide as many panes as have come. So
// a slide combines about seven data sets in all, however many panes the window has, and no slide
// has to catch up with many. (The two stacks of a sliding-window queue, as in Tangwongsan, Hirzel,
// Schneider, "Low-latency sliding-window aggregation in worst-case constant time", DEBS 2017, with
// turns at fixed times.)
//
// Invariant: which parts a window is made of follows from its time and from which parts are there;
// what it holds follows from its time alone.
class AggregateWindowNode final : public DStreamNode {
 public:
  // `length` and `slide` are positive multiples of the parent's slide.
  AggregateWindowNode(StreamGraph& graph, const Operation& operation, DStreamNode& parent,
                      std::chrono::milliseconds length, std::chrono::milliseconds slide,
                      CombineWindow combine);

  std::chrono::milliseconds look_back() const override { return length_; }
  void ForgetBefore(Time batch_time) override;
  void ForgetAll() override;

 private:
  // A part of windows, null when nothing of its time has a data set.
  struct Part {
    RddRef rdd;
    bool is_made_here = false;  // Or it is a pane, which belongs to the parent.
  };
  using Parts = std::map<int64_t, Part>;

  absl::StatusOr<RddRef> Compute(Time time) override;
  absl::StatusOr<RddRef> ComputeFromParts(int64_t end);

  // Panes are numbered from 0, [i, i + 1) being pane i. Each of these is null where there is none.
  absl::StatusOr<RddRef> Pane(int64_t index);
  // [start of the epoch of pane end - 1, end).
  absl::StatusOr<RddRef> Prefix(int64_t end);
  // [start, end of the epoch of pane start).
  absl::StatusOr<RddRef> Suffix(int64_t start);
  // The same when its records are to be combined now: null when they have been, or are a pane's.
  absl::StatusOr<RddRef> NewSuffix(int64_t start);

  absl::Status AddPanes(int64_t start, int64_t end, std::vector<RddRef>& to);
  // Combines what is needed again, unless it is a single data set, and remembers it.
  absl::StatusOr<RddRef> Keep(Parts& parts, int64_t index, std::vector<RddRef> of);
  void ForgetPrefixesBefore(int64_t end);

  int64_t EpochOf(int64_t pane) const { return pane / epoch_panes_; }
  Time TimeOf(int64_t pane_end) const;
  int64_t PaneEndAt(Time time) const;

  const std::chrono::milliseconds length_;
  const CombineWindow combine_;
  const std::chrono::milliseconds pane_;
  const int64_t window_panes_;
  const int64_t epoch_panes_;
  Parts panes_;                     // By index; where a pane is longer than the parent's slide.
  Parts prefixes_;                  // By end.
  Parts suffixes_;                  // By start.
  int64_t provisional_before_ = 0;  // The graph's count when the window in hand was begun.
};

}  // namespace millrace::internal

#endif  // MILLRACE_CLIENT_DSTREAM_AGGREGATE_WINDOW_NODE_H_
