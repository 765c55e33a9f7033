#include "tests/bench/plain/message_stream.h"

#include <grpcpp/grpcpp.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "proto/artifact.grpc.pb.h"
#include "tests/bench/plain/loopback.h"

namespace millrace::bench {
namespace {

constexpr size_t kMessageBytes = size_t{1} << 20;

// The streams of the artifact service, without artifacts.
class StreamService final : public proto::ArtifactService::Service {
 public:
  grpc::Status Upload(grpc::ServerContext* /*context*/,
                      grpc::ServerReader<proto::UploadChunk>* chunks,
                      proto::UploadReply* /*reply*/) override {
    proto::UploadChunk chunk;
    while (chunks->Read(&chunk)) {
    }
    return grpc::Status::OK;
  }
  // `sha256` is the number of bytes.
  grpc::Status Fetch(grpc::ServerContext* /*context*/, const proto::FetchRequest* request,
                     grpc::ServerWriter<proto::FetchChunk>* chunks) override {
    proto::FetchChunk chunk;
    chunk.set_data(std::string(kMessageBytes, 'x'));
    for (int64_t left = std::stoll(request->sha256()); left > 0; left -= kMessageBytes) {
      if (!chunks->Write(chunk)) break;
    }
    return grpc::Status::OK;
  }
};

absl::Status AsAbsl(const grpc::Status& status) {
  return status.ok() ? absl::OkStatus() : absl::UnavailableError(status.error_message());
}

absl::Status Send(proto::ArtifactService::Stub& stub, int64_t bytes) {
  grpc::ClientContext context;
  proto::UploadReply reply;
  const auto writer = stub.Upload(&context, &reply);
  proto::UploadChunk chunk;
  chunk.set_data(std::string(kMessageBytes, 'x'));
  for (int64_t left = bytes; left > 0; left -= kMessageBytes) {
    if (!writer->Write(chunk)) break;
  }
  writer->WritesDone();
  return AsAbsl(writer->Finish());
}

absl::Status Receive(proto::ArtifactService::Stub& stub, int64_t bytes) {
  grpc::ClientContext context;
  proto::FetchRequest request;
  request.set_sha256(std::to_string(bytes));
  const auto reader = stub.Fetch(&context, request);
  proto::FetchChunk chunk;
  int64_t got = 0;
  while (reader->Read(&chunk)) got += static_cast<int64_t>(chunk.data().size());
  absl::Status status = AsAbsl(reader->Finish());
  if (status.ok() && got != bytes) status = absl::DataLossError("bytes are missing");
  return status;
}

}  // namespace

absl::StatusOr<StreamPeer> StreamPeer::Start() {
  int answers[2];
  if (::pipe(answers) != 0) return absl::ErrnoToStatus(errno, "cannot make a pipe");
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, answers[1], STDOUT_FILENO);
  posix_spawn_file_actions_addclose(&actions, answers[0]);
  posix_spawn_file_actions_addclose(&actions, answers[1]);
  std::string program = "/proc/self/exe";
  std::string flag = "--serve_stream";
  char* argv[] = {program.data(), flag.data(), nullptr};
  pid_t process = 0;
  const int error = ::posix_spawn(&process, program.c_str(), &actions, nullptr, argv, environ);
  posix_spawn_file_actions_destroy(&actions);
  ::close(answers[1]);
  const absl::Cleanup close_answers = [&] { ::close(answers[0]); };
  if (error != 0) return absl::ErrnoToStatus(error, "cannot start the stream's peer");
  StreamPeer peer(process, 0);
  if (!ReadAll(answers[0], &peer.port_, sizeof(peer.port_))) {
    return absl::UnavailableError("the stream's peer ended before it listened");
  }
  return peer;
}

StreamPeer::StreamPeer(StreamPeer&& other) noexcept
    : process_(std::exchange(other.process_, 0)), port_(other.port_) {}

StreamPeer::~StreamPeer() {
  if (process_ == 0) return;
  ::kill(process_, SIGKILL);
  ::waitpid(process_, nullptr, 0);
}

absl::StatusOr<double> StreamPeer::Exchange(int64_t each_way) const {
  const auto channel =
      grpc::CreateChannel(absl::StrCat("127.0.0.1:", port_), grpc::InsecureChannelCredentials());
  if (!channel->WaitForConnected(std::chrono::system_clock::now() + std::chrono::seconds(10))) {
    return absl::UnavailableError("the stream's peer does not answer");
  }
  const auto stub = proto::ArtifactService::NewStub(channel);
  const auto start = std::chrono::steady_clock::now();
  absl::Status sent;
  std::thread sending([&] { sent = Send(*stub, each_way); });
  const absl::Status received = Receive(*stub, each_way);
  sending.join();
  const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - start;
  if (!sent.ok()) return sent;
  if (!received.ok()) return received;
  return taken.count();
}

int ServeStream() {
  StreamService service;
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
  builder.RegisterService(&service);
  const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (server == nullptr || !WriteAll(STDOUT_FILENO, &port, sizeof(port))) return 1;
  server->Wait();
  return 0;
}

}  // namespace millrace::bench
