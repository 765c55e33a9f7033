// How gRPC is set up for connections between the processes of an application.
#ifndef MILLRACE_COMMON_RPC_RPC_LIMITS_H_
#define MILLRACE_COMMON_RPC_RPC_LIMITS_H_

#include <cstddef>

namespace grpc {
class ChannelArguments;
class ServerBuilder;
}  // namespace grpc

namespace millrace::internal {

// Of one message: a stage's plan, a result, a broadcast value, a bucket of a shuffle. A larger one
// would end the stream that it is sent on, so it is refused before that.
inline constexpr int kMessageBytesMax = 1 << 30;
// What may wait to be sent on one stream. More means that its reader has stopped.
inline constexpr size_t kSendQueueCountMax = size_t{1} << 18;
inline constexpr size_t kSendQueueBytesMax = size_t{2} << 30;

// Limits, and pings by which either side notices that the other's host is gone.
void LimitServer(grpc::ServerBuilder& builder);
void LimitChannel(grpc::ChannelArguments& arguments);

}  // namespace millrace::internal

#endif  // MILLRACE_COMMON_RPC_RPC_LIMITS_H_
