#include "driver/block/worker_data.h"

#include <map>
#include <utility>

#include "common/base/mistake.h"

namespace millrace::internal {

using CachedList = google::protobuf::RepeatedPtrField<proto::CachedBinding>;

void WorkerData::NoteCached(int64_t worker_id, const CachedList& partitions) {
  for (const proto::CachedBinding& partition : partitions) {
    const bool is_known =
        cached.Add(partition.rdd_id(), static_cast<int>(partition.partition()), worker_id);
    if (is_known || IsMade(Mistake::kUnknownCachedKept)) continue;
    SendDropRdd(worker_id, partition.rdd_id());
  }
}

void WorkerData::NoteDropped(int64_t worker_id, const CachedList& partitions) {
  for (const proto::CachedBinding& partition : partitions) {
    cached.Remove(partition.rdd_id(), static_cast<int>(partition.partition()), worker_id);
  }
}

void WorkerData::DropShuffle(int64_t shuffle_id) {
  for (const int64_t worker_id : shuffles.Drop(shuffle_id)) {
    proto::ToWorker message;
    message.mutable_drop_shuffle()->set_shuffle_id(shuffle_id);
    workers_.Send(worker_id, std::move(message));
  }
}

void WorkerData::DropRdd(int64_t rdd_id) {
  for (const int64_t worker_id : cached.Drop(rdd_id)) SendDropRdd(worker_id, rdd_id);
}

void WorkerData::SendDropRdd(int64_t worker_id, int64_t rdd_id) {
  proto::ToWorker message;
  message.mutable_drop_rdd()->set_rdd_id(rdd_id);
  workers_.Send(worker_id, std::move(message));
}

void WorkerData::DropState(int64_t state_id) {
  if (!states.Drop(state_id)) return;
  proto::ToWorker message;
  message.mutable_drop_state()->set_state_id(state_id);
  workers_.SendToAll(message);
}

void WorkerData::DropBlocks(const std::vector<BlockRef>& dropped) {
  std::map<int64_t, proto::ToWorker> messages;  // By worker, in their order.
  for (const BlockRef& block : dropped) {
    const auto drop_on = [&](int64_t worker_id) {
      proto::BlockId& id = *messages[worker_id].mutable_drop_blocks()->add_blocks();
      id.set_stream_id(block.stream_id);
      id.set_sequence(block.sequence);
    };
    const bool is_scattered = blocks.IsScattered(block);
    const BlockLocations::Holders holders = blocks.Drop(block);
    if (is_scattered) {
      for (const auto& worker : workers_.all()) drop_on(worker->id);
    } else {
      for (const int64_t worker_id : holders) drop_on(worker_id);
    }
  }
  for (auto& [worker_id, message] : messages) workers_.Send(worker_id, std::move(message));
}

}  // namespace millrace::internal
