#include "executor/shuffle/shuffle_router.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/btree_map.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/base/annotate_status.h"
#include "common/base/status_macros.h"
#include "common/concurrent/thread_wait.h"
#include "common/env/peer_status.h"
#include "proto/peer.pb.h"

namespace millrace::internal {

namespace {

// The calls of one Put. Shared with them, for they may end after it has given up.
class CallsUnderWay {
 public:
  // Returns when `bytes` more may go out. An error: one has failed, or none ends any more.
  absl::Status AwaitRoom(size_t bytes, absl::Duration timeout) ABSL_LOCKS_EXCLUDED(mutex_) {
    const size_t bytes_max = ShuffleRouter::kUnderWayBytesMax;
    return Await(bytes < bytes_max ? bytes_max - bytes : 0, timeout);
  }
  // Returns when all have ended.
  absl::Status AwaitAll(absl::Duration timeout) ABSL_LOCKS_EXCLUDED(mutex_) {
    return Await(0, timeout);
  }

  void Begin(size_t bytes) ABSL_LOCKS_EXCLUDED(mutex_) {
    const absl::MutexLock lock(&mutex_);
    bytes_ += bytes;
    ++count_;
  }
  void End(size_t bytes, const absl::Status& status) ABSL_LOCKS_EXCLUDED(mutex_) {
    const absl::MutexLock lock(&mutex_);
    bytes_ -= bytes;
    --count_;
    ++ended_count_;
    if (error_.ok()) error_ = status;
  }

 private:
  // Until no more than `bytes_max` are under way; with 0, until nothing is, not even empty ones.
  absl::Status Await(size_t bytes_max, absl::Duration timeout) ABSL_LOCKS_EXCLUDED(mutex_) {
    const absl::MutexLock lock(&mutex_);
    for (;;) {
      const int64_t ended_before = ended_count_;
      const auto is_over = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
        return !error_.ok() || ended_count_ != ended_before || IsBelow(bytes_max);
      };
      if (!AwaitUnder(mutex_, absl::Condition(&is_over), timeout)) {
        return absl::UnavailableError(absl::StrCat("no worker that is sent map outputs has ",
                                                   "answered for ", absl::FormatDuration(timeout)));
      }
      RETURN_IF_ERROR(error_);
      if (IsBelow(bytes_max)) return absl::OkStatus();
    }
  }
  bool IsBelow(size_t bytes_max) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return bytes_ <= bytes_max && (bytes_max > 0 || count_ == 0);
  }

  absl::Mutex mutex_;
  size_t bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  int count_ ABSL_GUARDED_BY(mutex_) = 0;
  int64_t ended_count_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::Status error_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace

absl::Status ShuffleRouter::Put(MapOutput output) {
  if (output.workers.empty()) return store_.Put(std::move(output));
  if (output.workers.size() != output.buckets.size()) {
    return absl::InvalidArgumentError(absl::StrCat("a map output of ", output.buckets.size(),
                                                   " buckets names ", output.workers.size(),
                                                   " workers"));
  }
  MapOutput own;
  own.shuffle_id = output.shuffle_id;
  own.map_partition = output.map_partition;
  absl::btree_map<int64_t, std::vector<size_t>> elsewhere;  // Worker -> indices of buckets.
  for (size_t i = 0; i < output.buckets.size(); ++i) {
    if (output.workers[i] == options_.worker_id) {
      own.buckets.push_back(std::move(output.buckets[i]));
    } else {
      elsewhere[output.workers[i]].push_back(i);
    }
  }

  const absl::Duration timeout = absl::FromChrono(options_.timeout);
  const auto calls = std::make_shared<CallsUnderWay>();
  for (const auto& [worker_id, indices] : elsewhere) {
    for (size_t next = 0; next < indices.size();) {
      proto::PeerRequest request;
      proto::PutMapOutput& put = *request.mutable_put_map_output();
      put.set_shuffle_id(output.shuffle_id);
      put.set_map_partition(output.map_partition);
      size_t bytes = 0;
      do {
        auto& [reduce_partition, bucket] = output.buckets[indices[next]];
        put.add_reduce_partitions(reduce_partition);
        put.add_buckets(bucket.data(), bucket.size());
        bytes += bucket.size();
        bucket = Buffer();
        ++next;
      } while (next < indices.size() &&
               bytes + output.buckets[indices[next]].second.size() <= kMessageBytes);
      RETURN_IF_ERROR(calls->AwaitRoom(bytes, timeout));
      calls->Begin(bytes);
      peers_.Call(worker_id, std::move(request),
                  [calls, bytes, id = worker_id](const absl::StatusOr<proto::PeerReply>& reply) {
                    calls->End(bytes, StatusOfPeer(reply, id));
                  });
    }
  }
  // While those are on their way.
  RETURN_IF_ERROR(store_.Put(std::move(own)));
  return calls->AwaitAll(timeout);
}

}  // namespace millrace::internal
