#include "executor/receiver/block_copier.h"

#include <memory>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "common/base/status_macros.h"
#include "common/env/peer_status.h"
#include "glog/logging.h"

namespace millrace::internal {
namespace {

absl::Status Store(BlockStore& blocks, const proto::BlockId& id, StorageLevel level, int64_t holder,
                   absl::StatusOr<proto::PeerReply> reply) {
  RETURN_IF_ERROR(StatusOfPeer(reply, holder));
  StoreData data;
  data.level = level;
  for (std::string& bytes : *reply->mutable_buffers()) data.buffers.emplace_back(std::move(bytes));
  return blocks.Put(StoreKey::Block(id.stream_id(), id.sequence()), data);
}

// The calls of one request, and what has come of them.
class Copying {
 public:
  Copying(int count, Env& env, std::function<void(proto::BlocksCopied)> done)
      : env_(env), left_(count), done_(std::move(done)) {}

  void End(const proto::BlockId& id, const absl::Status& status) ABSL_LOCKS_EXCLUDED(mutex_) {
    LOG_IF(WARNING, !status.ok()) << "no copy of block " << id.sequence() << " of stream "
                                  << id.stream_id() << ": " << status;
    const absl::MutexLock lock(&mutex_);
    if (status.ok()) *copied_.add_blocks() = id;
    if (--left_ > 0) return;
    env_.Post([done = std::move(done_), copied = std::move(copied_)]() mutable {
      done(std::move(copied));
    });
  }

 private:
  Env& env_;
  absl::Mutex mutex_;
  int left_ ABSL_GUARDED_BY(mutex_);
  std::function<void(proto::BlocksCopied)> done_ ABSL_GUARDED_BY(mutex_);
  proto::BlocksCopied copied_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace

void BlockCopier::Copy(const proto::CopyBlocks& request,
                       std::function<void(proto::BlocksCopied)> done) {
  if (request.blocks().empty() || !IsKeepingLevel(request.storage_level())) return done({});
  const auto level = static_cast<StorageLevel>(request.storage_level());
  const auto copying = std::make_shared<Copying>(request.blocks_size(), env_, std::move(done));
  for (const proto::BlockId& id : request.blocks()) {
    proto::PeerRequest fetch;
    *fetch.mutable_fetch_block() = id;
    peers_.Call(request.holder(), std::move(fetch),
                [this, copying, id, level,
                 holder = request.holder()](absl::StatusOr<proto::PeerReply> reply) {
                  copying->End(id, Store(blocks_, id, level, holder, std::move(reply)));
                });
  }
}

}  // namespace millrace::internal
