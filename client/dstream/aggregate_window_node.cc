#include "client/dstream/aggregate_window_node.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "client/dstream/stream_graph.h"
#include "client/dstream/windowed_node.h"
#include "client/rdd/lineage.h"
#include "common/base/status_macros.h"

namespace millrace::internal {
namespace {

using std::chrono::milliseconds;

// With so few panes in a window, combining them all costs no more than keeping parts.
constexpr int64_t kFewPanes = 6;

milliseconds PaneOf(milliseconds length, milliseconds slide) {
  return milliseconds(std::gcd(length.count(), slide.count()));
}

}  // namespace

AggregateWindowNode::AggregateWindowNode(StreamGraph& graph, const Operation& operation,
                                         DStreamNode& parent, milliseconds length,
                                         milliseconds slide, CombineWindow combine)
    : DStreamNode(graph, operation, {&parent}, slide),
      length_(length),
      combine_(std::move(combine)),
      pane_(PaneOf(length, slide)),
      window_panes_(length / pane_),
      epoch_panes_((window_panes_ + 1) / 2) {
  parent.PersistForReuse();
}

absl::StatusOr<RddRef> AggregateWindowNode::Compute(Time time) {
  if (window_panes_ > kFewPanes && slide() < length_) return ComputeFromParts(PaneEndAt(time));
  auto data_sets = DataSetsBetween(*parents().front(), time - length_, time);
  if (!data_sets.ok()) return data_sets.status();
  return combine_(*std::move(data_sets), nullptr);
}

absl::StatusOr<RddRef> AggregateWindowNode::ComputeFromParts(int64_t end) {
  provisional_before_ = graph().provisional_count();
  const int64_t start = std::max<int64_t>(0, end - window_panes_);
  const int64_t this_epoch = EpochOf(end - 1) * epoch_panes_;
  const int64_t last_epoch = this_epoch - epoch_panes_;
  std::vector<RddRef> parts;
  const auto add = [&parts](const RddRef& part) {
    if (part != nullptr) parts.push_back(part);
  };
  if (start < this_epoch && start != last_epoch) {
    ASSIGN_OR_RETURN(const RddRef suffix, Suffix(start));
    add(suffix);
  }
  if (this_epoch > 0 && start <= last_epoch) {
    ASSIGN_OR_RETURN(const RddRef whole, Prefix(this_epoch));
    add(whole);
  }
  ASSIGN_OR_RETURN(const RddRef prefix, Prefix(end));
  add(prefix);
  // For windows of the next epoch, which start in the last one; its first pane starts none.
  RddRef prepared;
  if (this_epoch > 0 && epoch_panes_ > 1) {
    const int64_t come = end - this_epoch;
    ASSIGN_OR_RETURN(prepared, NewSuffix(std::max(this_epoch - come, last_epoch + 1)));
  }
  return combine_(std::move(parts), prepared);
}

absl::StatusOr<RddRef> AggregateWindowNode::NewSuffix(int64_t start) {
  if (suffixes_.contains(start)) return RddRef();
  ASSIGN_OR_RETURN(const RddRef suffix, Suffix(start));
  const auto made = suffixes_.find(start);
  return made != suffixes_.end() && made->second.is_made_here ? suffix : RddRef();
}

absl::StatusOr<RddRef> AggregateWindowNode::Pane(int64_t index) {
  DStreamNode& parent = *parents().front();
  if (pane_ == parent.slide()) return DataSetAt(parent, TimeOf(index + 1));
  if (const auto known = panes_.find(index); known != panes_.end()) return known->second.rdd;
  auto data_sets = DataSetsBetween(parent, TimeOf(index), TimeOf(index + 1));
  if (!data_sets.ok()) return data_sets.status();
  return Keep(panes_, index, *std::move(data_sets));
}

absl::StatusOr<RddRef> AggregateWindowNode::Prefix(int64_t end) {
  if (const auto known = prefixes_.find(end); known != prefixes_.end()) return known->second.rdd;
  std::vector<RddRef> of;
  int64_t from = EpochOf(end - 1) * epoch_panes_;
  const auto next = prefixes_.lower_bound(end);
  if (next != prefixes_.begin() && std::prev(next)->first > from) {
    from = std::prev(next)->first;
    if (std::prev(next)->second.rdd != nullptr) of.push_back(std::prev(next)->second.rdd);
  }
  RETURN_IF_ERROR(AddPanes(from, end, of));
  return Keep(prefixes_, end, std::move(of));
}

absl::StatusOr<RddRef> AggregateWindowNode::Suffix(int64_t start) {
  if (const auto known = suffixes_.find(start); known != suffixes_.end()) return known->second.rdd;
  std::vector<RddRef> of;
  int64_t until = (EpochOf(start) + 1) * epoch_panes_;
  RddRef rest;
  if (const auto next = suffixes_.upper_bound(start);
      next != suffixes_.end() && next->first < until) {
    until = next->first;
    rest = next->second.rdd;
  }
  RETURN_IF_ERROR(AddPanes(start, until, of));
  if (rest != nullptr) of.push_back(std::move(rest));
  return Keep(suffixes_, start, std::move(of));
}

absl::Status AggregateWindowNode::AddPanes(int64_t start, int64_t end, std::vector<RddRef>& to) {
  for (int64_t index = start; index < end; ++index) {
    ASSIGN_OR_RETURN(RddRef pane, Pane(index));
    if (pane != nullptr) to.push_back(std::move(pane));
  }
  return absl::OkStatus();
}

absl::StatusOr<RddRef> AggregateWindowNode::Keep(Parts& parts, int64_t index,
                                                 std::vector<RddRef> of) {
  Part part;
  if (of.size() == 1) {
    part.rdd = std::move(of.front());
  } else if (!of.empty()) {
    ASSIGN_OR_RETURN(part.rdd, combine_(std::move(of), nullptr));
    PersistNode(graph().context(), part.rdd, parents().front()->storage_level());
    part.is_made_here = true;
  }
  const RddRef rdd = part.rdd;
  // What was made of data sets that may yet change is made anew the next time.
  if (graph().provisional_count() == provisional_before_) parts.emplace(index, std::move(part));
  return rdd;
}

// Prefixes within an epoch build on one another, and so would all be kept as long as the last one:
// a prefix that the next one has been made of is unpersisted. Whole epochs stay for one epoch more.
void AggregateWindowNode::ForgetPrefixesBefore(int64_t end) {
  const int64_t whole_epoch = EpochOf(end) * epoch_panes_;
  for (auto it = prefixes_.begin(); it != prefixes_.end() && it->first < end;) {
    if (it->first == whole_epoch) {
      ++it;
      continue;
    }
    Part& part = it->second;
    const auto next = std::next(it);
    if (next != prefixes_.end() && next->second.rdd == part.rdd) {
      next->second.is_made_here = part.is_made_here;  // No pane has come since.
    } else if (part.is_made_here) {
      UnpersistNode(part.rdd);
    }
    it = prefixes_.erase(it);
  }
}

void AggregateWindowNode::ForgetBefore(Time batch_time) {
  DStreamNode::ForgetBefore(batch_time);
  const int64_t end = PaneEndAt(batch_time);
  const int64_t start = end - window_panes_;
  ForgetPrefixesBefore(end);
  suffixes_.erase(suffixes_.begin(), suffixes_.lower_bound(start));
  panes_.erase(panes_.begin(), panes_.lower_bound(start));
}

void AggregateWindowNode::ForgetAll() {
  DStreamNode::ForgetAll();
  panes_.clear();
  prefixes_.clear();
  suffixes_.clear();
}

Time AggregateWindowNode::TimeOf(int64_t pane_end) const {
  return graph().zero_time() + pane_end * pane_;
}

// Negative times lie before the first pane.
int64_t AggregateWindowNode::PaneEndAt(Time time) const {
  return (time - graph().zero_time()) / pane_;
}

}  // namespace millrace::internal
