// Abseil's synchronization, written over std::mutex: for the thread sanitizer build only.
//
// Debian's Abseil is not built with the sanitizer. Its Mutex is made of atomics inside the library,
// so the sanitizer sees no lock and calls every guarded access a data race. These definitions stand
// in for the library's (a program's own symbols come before those of shared libraries, in calls
// from libraries too), and std::mutex is one that the sanitizer knows.
//
// What must stay true: every public method of Mutex, CondVar, Notification and BlockingCounter that
// is compiled into the library and looks at their state is here, for the state has another meaning
// here: the one word of a Mutex or CondVar points to a LockState or std::condition_variable, made
// on first use.
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>

#include "absl/synchronization/blocking_counter.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"

namespace {

struct LockState {
  std::mutex mutex;
  std::condition_variable changed;  // Someone unlocked: conditions may hold now.
  int waiters = 0;                  // Guarded by `mutex`.
};

template <class T>
T* MakeOnce(std::atomic<intptr_t>& word) {
  intptr_t current = word.load(std::memory_order_acquire);
  if (current == 0) {
    T* made = new T;
    if (word.compare_exchange_strong(current, reinterpret_cast<intptr_t>(made),
                                     std::memory_order_acq_rel)) {
      return made;
    }
    delete made;
  }
  return reinterpret_cast<T*>(current);
}

// The word is all that a Mutex holds, and it is private.
static_assert(sizeof(absl::Mutex) == sizeof(std::atomic<intptr_t>));
LockState& StateOf(absl::Mutex* mutex) {
  return *MakeOnce<LockState>(*reinterpret_cast<std::atomic<intptr_t>*>(mutex));
}

// Waits on `condition` with the state's mutex held before and after; false when the deadline
// passed.
bool WaitOn(std::condition_variable& condition, LockState& state, absl::Time deadline) {
  std::unique_lock<std::mutex> lock(state.mutex, std::adopt_lock);
  bool in_time = true;
  if (deadline == absl::InfiniteFuture()) {
    condition.wait(lock);
  } else {
    in_time =
        condition.wait_until(lock, absl::ToChronoTime(deadline)) == std::cv_status::no_timeout;
  }
  lock.release();
  return in_time;
}

bool AwaitUntil(absl::Mutex* mutex, const absl::Condition& condition, absl::Time deadline) {
  LockState& state = StateOf(mutex);
  bool in_time = true;
  // What this thread changed before it waits may be what another one waits for. Said once: waiters
  // that go on waking each other never rest.
  if (state.waiters > 0) state.changed.notify_all();
  while (!condition.Eval()) {
    if (!in_time) return false;
    ++state.waiters;
    in_time = WaitOn(state.changed, state, deadline);
    --state.waiters;
  }
  return true;
}

absl::Time After(absl::Duration timeout) {
  return timeout == absl::InfiniteDuration() ? absl::InfiniteFuture() : absl::Now() + timeout;
}

}  // namespace

namespace absl {
ABSL_NAMESPACE_BEGIN

Mutex::~Mutex() { delete reinterpret_cast<LockState*>(mu_.load(std::memory_order_acquire)); }

void Mutex::Lock() { StateOf(this).mutex.lock(); }

void Mutex::Unlock() {
  LockState& state = StateOf(this);
  if (state.waiters > 0) state.changed.notify_all();
  state.mutex.unlock();
}

bool Mutex::TryLock() { return StateOf(this).mutex.try_lock(); }

// Readers keep each other out: slower than they would be, and right.
void Mutex::ReaderLock() { Lock(); }
void Mutex::ReaderUnlock() { Unlock(); }
bool Mutex::ReaderTryLock() { return TryLock(); }

void Mutex::Await(const Condition& cond) { AwaitUntil(this, cond, InfiniteFuture()); }
bool Mutex::AwaitWithTimeout(const Condition& cond, Duration timeout) {
  return AwaitUntil(this, cond, After(timeout));
}
bool Mutex::AwaitWithDeadline(const Condition& cond, Time deadline) {
  return AwaitUntil(this, cond, deadline);
}

void Mutex::LockWhen(const Condition& cond) {
  Lock();
  Await(cond);
}
bool Mutex::LockWhenWithTimeout(const Condition& cond, Duration timeout) {
  Lock();
  return AwaitWithTimeout(cond, timeout);
}
bool Mutex::LockWhenWithDeadline(const Condition& cond, Time deadline) {
  Lock();
  return AwaitWithDeadline(cond, deadline);
}
void Mutex::ReaderLockWhen(const Condition& cond) { LockWhen(cond); }
bool Mutex::ReaderLockWhenWithTimeout(const Condition& cond, Duration timeout) {
  return LockWhenWithTimeout(cond, timeout);
}
bool Mutex::ReaderLockWhenWithDeadline(const Condition& cond, Time deadline) {
  return LockWhenWithDeadline(cond, deadline);
}

// The compiler's thread-safety analysis checks what these assert; at run time they ask nothing
// here.
void Mutex::AssertHeld() const {}
void Mutex::AssertReaderHeld() const {}
void Mutex::AssertNotHeld() const {}
void Mutex::ForgetDeadlockInfo() {}
void Mutex::EnableInvariantDebugging(void (*)(void*), void*) {}
void Mutex::EnableDebugLog(const char*) {}

CondVar::~CondVar() {
  delete reinterpret_cast<std::condition_variable*>(cv_.load(std::memory_order_acquire));
}

void CondVar::Wait(Mutex* mu) { WaitWithDeadline(mu, InfiniteFuture()); }

bool CondVar::WaitWithTimeout(Mutex* mu, Duration timeout) {
  return WaitWithDeadline(mu, After(timeout));
}

// True when the deadline passed.
bool CondVar::WaitWithDeadline(Mutex* mu, Time deadline) {
  LockState& state = StateOf(mu);
  if (state.waiters > 0) state.changed.notify_all();
  return !WaitOn(*MakeOnce<std::condition_variable>(cv_), state, deadline);
}

void CondVar::Signal() { MakeOnce<std::condition_variable>(cv_)->notify_one(); }
void CondVar::SignalAll() { MakeOnce<std::condition_variable>(cv_)->notify_all(); }
void CondVar::EnableDebugLog(const char*) {}

// These two set a flag by which others know, past the lock, that something has happened.
void Notification::Notify() {
  MutexLock lock(&mutex_);
  notified_yet_.store(true, std::memory_order_release);
}

void Notification::WaitForNotification() const {
  WaitForNotificationWithDeadline(InfiniteFuture());
}

bool Notification::WaitForNotificationWithTimeout(Duration timeout) const {
  return WaitForNotificationWithDeadline(After(timeout));
}

bool Notification::WaitForNotificationWithDeadline(Time deadline) const {
  MutexLock lock(&mutex_);
  return mutex_.AwaitWithDeadline(Condition(&HasBeenNotifiedInternal, &notified_yet_), deadline);
}

bool BlockingCounter::DecrementCount() {
  if (count_.fetch_sub(1, std::memory_order_acq_rel) != 1) return false;
  MutexLock lock(&lock_);
  done_ = true;
  return true;
}

ABSL_NAMESPACE_END
}  // namespace absl
