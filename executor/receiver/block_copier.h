// Copies of blocks that another worker holds.
#ifndef MILLRACE_EXECUTOR_RECEIVER_BLOCK_COPIER_H_
#define MILLRACE_EXECUTOR_RECEIVER_BLOCK_COPIER_H_

#include <functional>

#include "common/env/env.h"
#include "common/env/peer_transport.h"
#include "executor/block/block_store.h"
#include "proto/worker.pb.h"

namespace millrace::internal {

// Fetches blocks at the driver's word: those that have lost their second copy get another here.
//
// Threads: the event loop; answers of peers come on others, which store what has come.
class BlockCopier {
 public:
  // All outlive this and its calls.
  BlockCopier(Env& env, BlockStore& blocks, PeerTransport& peers)
      : env_(env), blocks_(blocks), peers_(peers) {}

  // `done` runs on the event loop, with the blocks that are here by then.
  void Copy(const proto::CopyBlocks& request, std::function<void(proto::BlocksCopied)> done);

 private:
  Env& env_;
  BlockStore& blocks_;
  PeerTransport& peers_;
};

}  // namespace millrace::internal

#endif  // MILLRACE_EXECUTOR_RECEIVER_BLOCK_COPIER_H_
