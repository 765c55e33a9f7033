#include "tests/sim/turn_thread.h"

#include <utility>

#include "glog/logging.h"

namespace millrace::sim {
namespace {

thread_local bool is_turn_thread = false;

}  // namespace

TurnThread::TurnThread(int64_t& skipped_micros)
    : skipped_micros_(skipped_micros), thread_([this] { Loop(); }) {}

bool TurnThread::IsCurrent() { return is_turn_thread; }

TurnThread::~TurnThread() {
  CHECK(!has_work_) << "a thread of the simulation goes with its work undone";
  is_ending_ = true;
  own_turn_.release();
  thread_.join();
}

void TurnThread::Give(absl::AnyInvocable<void()> work) {
  CHECK(!has_work_);
  work_ = std::move(work);
  has_work_ = true;
  is_given_up_ = false;
}

void TurnThread::Run() {
  own_turn_.release();
  world_turn_.acquire();
}

void TurnThread::Loop() {
  ThreadWaiter::Set(this);
  is_turn_thread = true;
  for (;;) {
    own_turn_.acquire();
    if (is_ending_) return;
    work_();
    work_ = nullptr;  // What it holds goes on the thread that used it.
    has_work_ = false;
    world_turn_.release();
  }
}

bool TurnThread::MayGoOn() const {
  wait_->mutex->Lock();
  const bool may_go_on = wait_->condition->Eval();
  wait_->mutex->Unlock();
  return may_go_on;
}

bool TurnThread::Await(absl::Mutex& mutex, const absl::Condition& condition,
                       absl::Duration timeout) {
  if (condition.Eval()) return true;
  if (is_given_up_) {
    if (timeout < absl::InfiniteDuration()) skipped_micros_ += absl::ToInt64Microseconds(timeout);
    return false;
  }
  wait_ = {&mutex, &condition, timeout};
  mutex.Unlock();
  world_turn_.release();
  own_turn_.acquire();
  mutex.Lock();
  wait_.reset();
  return condition.Eval();
}

}  // namespace millrace::sim
