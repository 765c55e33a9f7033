#include "tests/bench/plain/socket_word_count.h"

#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string_view>
#include <thread>

#include "absl/cleanup/cleanup.h"
#include "tests/bench/plain/loopback.h"

namespace millrace::bench {
namespace {

constexpr size_t kReadBytes = size_t{1} << 20;

// What one recv gives; empty at the end.
absl::StatusOr<std::string_view> Receive(int fd, char* piece) {
  while (true) {
    const ssize_t size = ::recv(fd, piece, kReadBytes, 0);
    if (size >= 0) return std::string_view(piece, static_cast<size_t>(size));
    if (errno != EINTR) return absl::ErrnoToStatus(errno, "cannot receive");
  }
}

// Two pieces that go back and forth between the reader and the counter.
class Pieces {
 public:
  static constexpr int kCount = 2;

  Pieces() {
    for (auto& piece : bytes_) piece.reset(new char[kReadBytes]);
  }
  char* Free() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return filled_ - taken_ < kCount; });
    return bytes_[filled_ % kCount].get();
  }
  void Fill(std::string_view text) {
    const std::lock_guard lock(mutex_);
    texts_[filled_++ % kCount] = text;
    changed_.notify_one();
  }
  std::string_view Filled() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return filled_ > taken_; });
    return texts_[taken_ % kCount];
  }
  void Take() {
    const std::lock_guard lock(mutex_);
    ++taken_;
    changed_.notify_one();
  }

 private:
  std::unique_ptr<char[]> bytes_[kCount];
  std::mutex mutex_;
  std::condition_variable changed_;
  std::string_view texts_[kCount];
  int64_t filled_ = 0;
  int64_t taken_ = 0;
};

}  // namespace

absl::StatusOr<WordTotals> CountWordsOfSocket(int port, absl::FunctionRef<void()> connected) {
  const absl::StatusOr<int> fd = ConnectToLoopback(port);
  if (!fd.ok()) return fd.status();
  const absl::Cleanup close = [&] { ::close(*fd); };
  connected();
  const std::unique_ptr<char[]> piece(new char[kReadBytes]);
  StreamWordCounter counter;
  while (true) {
    const absl::StatusOr<std::string_view> text = Receive(*fd, piece.get());
    if (!text.ok()) return text.status();
    if (text->empty()) break;
    counter.Add(*text);
  }
  counter.Finish();
  return counter.Totals();
}

absl::StatusOr<WordTotals> CountWordsOfSocketOnTwoThreads(int port,
                                                          absl::FunctionRef<void()> connected) {
  const absl::StatusOr<int> fd = ConnectToLoopback(port);
  if (!fd.ok()) return fd.status();
  const absl::Cleanup close = [&] { ::close(*fd); };
  connected();
  Pieces pieces;
  absl::Status status;
  std::thread reader([&] {
    while (true) {
      // Fills a piece: the fewer hand-overs, the better.
      char* const piece = pieces.Free();
      const ssize_t size = ::recv(*fd, piece, kReadBytes, MSG_WAITALL);
      if (size < 0 && errno == EINTR) continue;
      if (size < 0) status = absl::ErrnoToStatus(errno, "cannot receive");
      pieces.Fill({piece, size > 0 ? static_cast<size_t>(size) : 0});
      if (size <= 0) return;
    }
  });
  StreamWordCounter counter;
  for (std::string_view text = pieces.Filled(); !text.empty(); text = pieces.Filled()) {
    counter.Add(text);
    pieces.Take();
  }
  reader.join();
  if (!status.ok()) return status;
  counter.Finish();
  return counter.Totals();
}

}  // namespace millrace::bench
