#include "executor/receiver/block_replicator.h"

#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/mistake.h"
#include "common/base/status_macros.h"
#include "common/env/peer_status.h"

namespace millrace::internal {

void BlockReplicator::AddPeer(int64_t worker_id, std::string host) {
  const absl::MutexLock lock(&mutex_);
  hosts_[worker_id] = std::move(host);
}

void BlockReplicator::RemovePeer(int64_t worker_id) {
  const absl::MutexLock lock(&mutex_);
  hosts_.erase(worker_id);
  late_.erase(worker_id);
}

bool BlockReplicator::has_peers() const {
  const absl::MutexLock lock(&mutex_);
  return !hosts_.empty();
}

std::vector<int64_t> BlockReplicator::Candidates() const {
  const absl::MutexLock lock(&mutex_);
  const auto next = hosts_.upper_bound(options_.worker_id);
  std::vector<int64_t> candidates;
  candidates.reserve(hosts_.size());
  for (const bool is_same_host : {false, true}) {
    const auto take = [&](auto begin, auto end) {
      for (auto peer = begin; peer != end; ++peer) {
        if ((peer->second == options_.host) == is_same_host) candidates.push_back(peer->first);
      }
    };
    take(next, hosts_.end());
    take(hosts_.begin(), next);
  }
  return candidates;
}

absl::StatusOr<BlockReplicator::Copy> BlockReplicator::Replicate(const proto::StoredBlock& block,
                                                                 const StoreData& data) {
  absl::Status failure;
  for (const int64_t worker_id : Candidates()) {
    const absl::Status status = PutOn(worker_id, block, data);
    if (status.ok()) return Copy{worker_id, !failure.ok()};
    if (absl::IsFailedPrecondition(status)) return status;
    failure.Update(status);
  }
  RETURN_IF_ERROR(failure);
  return Copy();
}

absl::Status BlockReplicator::PutOn(int64_t worker_id, const proto::StoredBlock& block,
                                    const StoreData& data) {
  if (IsLate(worker_id)) {
    return absl::UnavailableError(
        absl::StrCat("worker ", worker_id, " has not taken what it was sent before"));
  }
  proto::PeerRequest request;
  proto::PutBlock& put = *request.mutable_put_block();
  put.set_receiving_worker(options_.worker_id);
  *put.mutable_block() = block;
  put.set_storage_level(static_cast<uint32_t>(data.level));
  // Shared with the call, which may end after this has given up.
  const auto answer = std::make_shared<Answer>();
  peers_.Put(worker_id, std::move(request), data.buffers,
             [answer](absl::StatusOr<proto::PeerReply> reply) { answer->Set(std::move(reply)); });
  if (IsMade(Mistake::kAckBeforeReplication)) return absl::OkStatus();
  const absl::StatusOr<proto::PeerReply>* const reply = answer->WaitFor(options_.timeout);
  if (reply == nullptr) {
    const absl::MutexLock lock(&mutex_);
    if (hosts_.contains(worker_id)) late_[worker_id] = answer;
    return absl::UnavailableError(absl::StrCat("worker ", worker_id, " has not answered for ",
                                               options_.timeout.count() / 1000, " s"));
  }
  return StatusOfPeer(*reply, worker_id);
}

bool BlockReplicator::IsLate(int64_t worker_id) {
  const absl::MutexLock lock(&mutex_);
  const auto late = late_.find(worker_id);
  if (late == late_.end()) return false;
  if (!late->second->ready()) return true;
  late_.erase(late);
  return false;
}

}  // namespace millrace::internal
