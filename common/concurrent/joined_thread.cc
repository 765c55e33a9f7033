#include "common/concurrent/joined_thread.h"

#include <utility>

#include "common/concurrent/named_thread.h"

namespace millrace {
namespace {

ThreadMaker* current_maker = nullptr;

}  // namespace

void ThreadMaker::Set(ThreadMaker* maker) { current_maker = maker; }

JoinedThread::JoinedThread(std::string name, absl::AnyInvocable<void()> body) {
  if (current_maker != nullptr) {
    made_ = current_maker->Make(std::move(body));
  } else {
    thread_ = StartThread(std::move(name), std::move(body));
  }
}

void JoinedThread::Join() {
  if (const auto made = std::exchange(made_, nullptr)) made->Join();
  if (thread_.joinable()) thread_.join();
}

}  // namespace millrace
