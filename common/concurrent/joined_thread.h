// A thread that its owner waits for, in a simulation too.
#ifndef MILLRACE_COMMON_CONCURRENT_JOINED_THREAD_H_
#define MILLRACE_COMMON_CONCURRENT_JOINED_THREAD_H_

#include <memory>
#include <string>
#include <thread>

#include "absl/functional/any_invocable.h"

namespace millrace {

// Makes threads in the place of the operating system. In a simulation they take turns.
class ThreadMaker {
 public:
  class Thread {
   public:
    virtual ~Thread() = default;
    virtual void Join() = 0;  // Once.
  };

  virtual ~ThreadMaker() = default;
  virtual std::unique_ptr<Thread> Make(absl::AnyInvocable<void()> body) = 0;

  // The process's from here on; null: the operating system's. While there are no other threads.
  static void Set(ThreadMaker* maker);
};

// Threads: its owner's.
class JoinedThread {
 public:
  JoinedThread() = default;
  // Runs `body` under `name`, as StartThread does.
  JoinedThread(std::string name, absl::AnyInvocable<void()> body);

  // Waits until the body has ended. Nothing where there is none, or it was waited for.
  void Join();

 private:
  std::thread thread_;
  std::unique_ptr<ThreadMaker::Thread> made_;  // Instead of `thread_`.
};

}  // namespace millrace

#endif  // MILLRACE_COMMON_CONCURRENT_JOINED_THREAD_H_
