// Both socket receivers, against real sockets, by way of the service that runs them.
#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "common/record/codec.h"
#include "executor/block/block_store.h"
#include "executor/block/spill_dir.h"
#include "executor/receiver/raw_socket_receiver.h"
#include "executor/receiver/socket_address.h"
#include "executor/receiver/tcp_connection.h"
#include "executor/receiver/threaded_receiver_service.h"
#include "tests/support/fake_env.h"
#include "tests/support/memory_file_system.h"

namespace millrace::internal {
namespace {

using ::testing::HasSubstr;

constexpr int64_t kStream = 5;
constexpr int64_t kIdleStream = 6;
constexpr int kPollMs = 30000;

// The peer that the receiver connects to.
class Server {
 public:
  Server() : listening_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(bind(listening_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    EXPECT_EQ(listen(listening_.get(), 8), 0);
    socklen_t size = sizeof address;
    getsockname(listening_.get(), reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
  }

  int port() const { return port_; }
  void Accept() {
    pollfd wait{.fd = listening_.get(), .events = POLLIN, .revents = 0};
    ASSERT_EQ(poll(&wait, 1, kPollMs), 1);
    connection_ = FileDescriptor(accept(listening_.get(), nullptr, nullptr));
    ASSERT_TRUE(connection_.valid());
  }
  void Send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t sent = send(connection_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      ASSERT_GT(sent, 0);
      bytes.remove_prefix(static_cast<size_t>(sent));
    }
  }
  void SendUntilTheReceiverGoes(std::string_view line) {
    std::string lines;
    while (lines.size() < 100'000) lines += line;
    while (send(connection_.get(), lines.data(), lines.size(), MSG_NOSIGNAL) > 0) {
    }
  }
  // Waits until the receiver has gone.
  void AwaitEnd() {
    pollfd wait{.fd = connection_.get(), .events = POLLIN, .revents = 0};
    ASSERT_EQ(poll(&wait, 1, kPollMs), 1);
    char byte = 0;
    EXPECT_LE(recv(connection_.get(), &byte, 1, 0), 0);
  }
  void Close() { connection_ = FileDescriptor(); }
  // The receiver's next read fails.
  void Reset() {
    const linger at_once{.l_onoff = 1, .l_linger = 0};
    setsockopt(connection_.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    Close();
  }
  void StopListening() { listening_ = FileDescriptor(); }

 private:
  FileDescriptor listening_;
  FileDescriptor connection_;
  int port_ = 0;
};

class SocketReceiversTest : public ::testing::Test, protected ReceiverService::Listener {
 protected:
  SocketReceiversTest()
      : env_(fs_), disk_(fs_, "/spill"), store_(budget_, disk_), service_(env_, store_) {
    service_.SetListener(this);
  }

  proto::StartReceiver Request(std::string_view factory) {
    proto::StartReceiver request;
    request.set_stream_id(kStream);
    request.set_operator_name(std::string(factory));
    request.set_params(EncodeToString(SocketAddress{"127.0.0.1", server_.port()}));
    request.set_storage_level(static_cast<uint32_t>(StorageLevel::kMemoryOnly));
    request.set_restart_delay_ms(1);
    request.set_label("SocketTextStream at test.cc:1");
    return request;
  }
  void StartText(uint32_t max_line_bytes = 1000) {
    proto::StartReceiver request = Request(kSocketTextReceiverName);
    request.set_max_line_bytes(max_line_bytes);
    service_.Start(request);
  }

  void OnBlockReport(proto::BlockReport report) override {
    if (report.stream_id() == kIdleStream) return;
    EXPECT_EQ(report.stream_id(), kStream);
    if (report.batch_time_ms() > 0) ++batches_;
    for (const proto::StoredBlock& block : report.blocks()) {
      const auto key = StoreKey::Block(kStream, block.id().sequence());
      const auto buffers = store_.Get(key);
      ASSERT_TRUE(buffers.ok()) << buffers.status();
      for (const Buffer& buffer : *buffers) received_ += buffer.view();
      if (block.record_count() >= 0) records_ += block.record_count();
    }
  }
  void OnReceiverEvent(proto::ReceiverEvent event) override {
    if (event.stream_id() == kIdleStream) return;
    EXPECT_EQ(event.stream_id(), kStream);
    events_.push_back(proto::ReceiverEvent::Kind_Name(event.kind()) + ": " + event.message() +
                      event.error());
  }

  // Cuts until so much has come.
  void AwaitReceived(std::string_view bytes) {
    const bool came = env_.RunUntil([&] {
      Cut();
      return received_.size() >= bytes.size() || (env_.Post([] {}), false);
    });
    EXPECT_TRUE(came);
    EXPECT_EQ(received_, bytes);
  }
  void Cut() { service_.CutBlocks(++batch_time_ms_); }
  void AwaitEvent(std::string_view part) {
    EXPECT_TRUE(env_.RunUntil([&] {
      for (const std::string& event : events_) {
        if (event.find(part) != std::string::npos) return true;
      }
      return false;
    })) << part
        << " in " << ::testing::PrintToString(events_);
  }

  Server server_;
  MemoryFileSystem fs_;
  FakeEnv env_;
  MemoryBudget budget_{1 << 26};
  SpillDir disk_;
  BlockStore store_;
  ThreadedReceiverService service_;
  int64_t batch_time_ms_ = 0;
  int batches_ = 0;
  std::string received_;
  int64_t records_ = 0;
  std::vector<std::string> events_;
};

TEST_F(SocketReceiversTest, LinesComeInAsTheyWereSent) {
  StartText();
  server_.Accept();
  server_.Send("to be\nor not\r\nto be\n");
  AwaitReceived("to be\nor not\r\nto be\n");
  EXPECT_EQ(records_, 3);
  EXPECT_EQ(events_.front(), "STARTED: ");
}

TEST_F(SocketReceiversTest, EveryBatchIsAnsweredOnceAndInOrder) {
  StartText();
  server_.Accept();
  server_.Send("a\n");
  AwaitReceived("a\n");
  const int before = batches_;
  for (int i = 0; i < 10; ++i) Cut();
  EXPECT_EQ(batches_, before + 10);
}

TEST_F(SocketReceiversTest, BlocksAreCutEveryBlockIntervalWithoutABatch) {
  proto::StartReceiver request = Request(kSocketTextReceiverName);
  request.set_block_interval_ms(200);
  service_.Start(request);
  server_.Accept();
  server_.Send("a\n");
  EXPECT_TRUE(env_.RunUntil([&] {
    env_.Advance(200'000);
    env_.Post([] {});
    return received_ == "a\n";
  }));
  EXPECT_EQ(batches_, 0);
}

TEST_F(SocketReceiversTest, AnUnterminatedLastLineIsDeliveredWhenThePeerClosesAndItReconnects) {
  StartText();
  server_.Accept();
  server_.Send("first\nlast");
  server_.Close();
  AwaitEvent("127.0.0.1:" + std::to_string(server_.port()) + " closed the connection");
  server_.Accept();
  server_.Send("again\n");
  AwaitReceived("first\nlast\nagain\n");
  EXPECT_EQ(records_, 3);
}

TEST_F(SocketReceiversTest, AnUnterminatedLineOfABrokenConnectionIsLeftOutAndTold) {
  StartText();
  server_.Accept();
  server_.Send("first\nla");
  AwaitReceived("first\n");
  server_.Reset();
  AwaitEvent("a line was left out after 2 bytes of it: lost the connection to 127.0.0.1:" +
             std::to_string(server_.port()));
  server_.Accept();
  server_.Send("again\n");
  AwaitReceived("first\nagain\n");
}

TEST_F(SocketReceiversTest, ARefusedConnectionNamesThePeerAndIsTriedAgain) {
  server_.StopListening();
  StartText();
  AwaitEvent("cannot connect to 127.0.0.1:" + std::to_string(server_.port()));
  EXPECT_TRUE(env_.RunUntil([&] { return events_.size() >= 4; }));
  EXPECT_THAT(events_[2], HasSubstr("STARTED"));
}

TEST_F(SocketReceiversTest, ALineThatIsTooLongIsToldAndTheStreamGoesOn) {
  StartText(/*max_line_bytes=*/100);
  server_.Accept();
  server_.Send("ok\n" + std::string(100'000, 'x') + "\nfine\n");
  AwaitReceived("ok\nfine\n");
  AwaitEvent("line 2 from 127.0.0.1:" + std::to_string(server_.port()) +
             ", which begins at byte 3, was left out: it has 100000 bytes, the limit is 100");
  EXPECT_EQ(records_, 2);
}

TEST_F(SocketReceiversTest, AnyBytesPass) {
  const std::string bytes("a\0b\xff\xfe\n\n\xc3\n", 9);
  StartText();
  server_.Accept();
  server_.Send(bytes);
  AwaitReceived(bytes);
}

TEST_F(SocketReceiversTest, MuchTextComesThroughWhole) {
  StartText(/*max_line_bytes=*/1 << 20);
  server_.Accept();
  std::string text;
  for (int i = 0; i < 100'000; ++i) text += "line " + std::to_string(i) + "\n";
  server_.Send(text);
  AwaitReceived(text);
  EXPECT_EQ(records_, 100'000);
}

TEST_F(SocketReceiversTest, AStopEndsAReadAndDeliversWhatWasRead) {
  StartText();
  server_.Accept();
  server_.Send("a\nunfini");
  AwaitReceived("a\n");
  service_.Stop(kStream, "the application ends");
  AwaitEvent("STOPPED: the application ends");
  server_.AwaitEnd();
  EXPECT_EQ(received_, "a\n");
  Cut();  // Nobody is left to answer.
  // The stream may start again.
  StartText();
  server_.Accept();
}

TEST_F(SocketReceiversTest, AStopEndsAReadThatAlwaysFindsMore) {
  StartText();
  server_.Accept();
  std::thread sender([this] { server_.SendUntilTheReceiverGoes("a line\n"); });
  EXPECT_TRUE(env_.RunUntil([this] {
    Cut();
    env_.Post([] {});
    return records_ > 100'000;
  }));
  service_.Stop(kStream, "the application ends");
  AwaitEvent("STOPPED: the application ends");
  sender.join();
}

TEST_F(SocketReceiversTest, TheRateLimitHoldsLinesBack) {
  proto::StartReceiver request = Request(kSocketTextReceiverName);
  request.set_rate_limit(0.001);
  service_.Start(request);
  server_.Accept();
  server_.Send("a\nb\nc\n");
  Cut();
  EXPECT_EQ(received_, "");
  proto::UpdateRate no_limit;
  no_limit.set_stream_id(kStream);
  service_.UpdateRate(no_limit);
  AwaitReceived("a\nb\nc\n");
}

// Two receivers share half of 64 MiB. What comes is read here but stays unprocessed.
TEST_F(SocketReceiversTest, TheMemoryLimitsUnprocessedBytesIfAnythingDoes) {
  proto::StartReceiver request = Request(kSocketTextReceiverName);
  request.set_storage_level(static_cast<uint32_t>(StorageLevel::kMemoryOnly));
  request.set_unprocessed_bytes_max(int64_t{1} << 60);
  service_.Start(request);
  server_.Accept();
  request.set_stream_id(kIdleStream);
  service_.Start(request);
  const std::string lines(size_t{24} << 20, '\n');
  std::thread sender([&] { server_.Send(lines); });
  constexpr size_t kShare = size_t{16} << 20;
  const auto await = [&](size_t size) {
    EXPECT_TRUE(env_.RunUntil([&] {
      Cut();
      return received_.size() >= size || (env_.Post([] {}), false);
    }));
  };
  await(kShare);
  for (int i = 0; i < 100; ++i) Cut();
  EXPECT_LT(received_.size(), kShare + (size_t{1} << 20)) << "but for one read";
  proto::UpdateRate processed;
  processed.set_stream_id(kStream);
  processed.set_unprocessed_bytes_max(int64_t{1} << 60);
  processed.set_processed_bytes(static_cast<int64_t>(received_.size()));
  service_.UpdateRate(processed);
  await(lines.size());
  sender.join();
}

TEST_F(SocketReceiversTest, ASecondStartOfARunningStreamChangesNothing) {
  StartText();
  server_.Accept();
  StartText();
  server_.Send("a\n");
  AwaitReceived("a\n");
  EXPECT_EQ(events_.size(), 1u);
}

TEST_F(SocketReceiversTest, UnknownReceiversAndWrongParametersAreRefused) {
  proto::StartReceiver request = Request("no.such.Receiver");
  service_.Start(request);
  EXPECT_THAT(events_.back(), HasSubstr("no receiver named 'no.such.Receiver'"));
  request = Request(kSocketTextReceiverName);
  request.set_params(EncodeToString(SocketAddress{"localhost", 70000}));
  service_.Start(request);
  EXPECT_THAT(events_.back(), HasSubstr("port from 1 to 65535"));
  request = Request(kSocketTextReceiverName);
  request.set_storage_level(0);
  service_.Start(request);
  EXPECT_THAT(events_.back(), HasSubstr("storage level 0"));
}

TEST_F(SocketReceiversTest, AHostWithoutAnAddressIsToldByName) {
  proto::StartReceiver request = Request(kSocketTextReceiverName);
  request.set_params(EncodeToString(SocketAddress{"no-such-host.invalid", 9999}));
  service_.Start(request);
  AwaitEvent("no-such-host.invalid");
}

std::string Frame(std::string_view bytes) {
  const auto size = static_cast<uint32_t>(bytes.size());
  std::string frame;
  for (const int shift : {24, 16, 8, 0}) frame.push_back(static_cast<char>(size >> shift));
  return frame + std::string(bytes);
}

TEST_F(SocketReceiversTest, RawFramesBecomeBlocks) {
  service_.Start(Request(kRawSocketReceiverName));
  server_.Accept();
  const std::string large(300'000, 'z');
  const std::string frames = Frame("one") + Frame("") + Frame("three") + Frame(large);
  server_.Send(frames.substr(0, 2));
  server_.Send(frames.substr(2));
  AwaitReceived("onethree" + large);
  EXPECT_EQ(store_.entry_count(), 3u);
}

TEST_F(SocketReceiversTest, ARawFrameThatIsTooLargeIsNamedAndTheConnectionGivenUp) {
  service_.Start(Request(kRawSocketReceiverName));
  server_.Accept();
  server_.Send(Frame("one"));
  server_.Send("\xff\xff\xff\xff");
  AwaitEvent("sent a frame of 4294967295 bytes at byte 7, the limit is " +
             std::to_string(RawSocketReceiver::kFrameBytesMax));
  server_.AwaitEnd();
  AwaitReceived("one");
}

TEST_F(SocketReceiversTest, ATornRawFrameIsTold) {
  service_.Start(Request(kRawSocketReceiverName));
  server_.Accept();
  server_.Send(Frame("whole") + Frame("torn").substr(0, 6));
  server_.Close();
  AwaitEvent("within the frame at byte 9");
  AwaitReceived("whole");
}

}  // namespace
}  // namespace millrace::internal
