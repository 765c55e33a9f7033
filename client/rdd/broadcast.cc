#include "client/rdd/broadcast.h"

#include <stdexcept>
#include <typeindex>

#include "absl/base/call_once.h"
#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "driver/service/driver_handle.h"
#include "executor/task/task_node.h"

namespace millrace::internal {
namespace {

// One value in a process, decoded by the first who asks.
struct DecodedValue {
  std::weak_ptr<const std::string> encoded;
  absl::once_flag once;
  std::shared_ptr<const void> value;
};

// What the tasks of this process have decoded, by the worker's encoded value; forgotten some time
// after the worker has forgotten that. Thread-safe.
class DecodedValues {
 public:
  std::shared_ptr<DecodedValue> Find(const std::shared_ptr<const std::string>& encoded,
                                     const std::type_info& type) ABSL_LOCKS_EXCLUDED(mutex_) {
    const absl::MutexLock lock(&mutex_);
    const Key key(encoded.get(), std::type_index(type));
    const auto found = values_.find(key);
    // An address may stand for another value by now.
    if (found != values_.end() && found->second->encoded.lock() == encoded) return found->second;
    absl::erase_if(values_, [](const auto& entry) { return entry.second->encoded.expired(); });
    auto value = std::make_shared<DecodedValue>();
    value->encoded = encoded;
    values_[key] = value;
    return value;
  }

 private:
  using Key = std::pair<const std::string*, std::type_index>;

  absl::Mutex mutex_;
  absl::flat_hash_map<Key, std::shared_ptr<DecodedValue>> values_ ABSL_GUARDED_BY(mutex_);
};

DecodedValues& TheDecodedValues() {
  static DecodedValues& values = *new DecodedValues;
  return values;
}

}  // namespace

BroadcastHome PutBroadcast(const ContextRef& context, std::string encoded) {
  BroadcastHome home;
  home.id = context->driver->NewId();
  home.lease = context->driver->PutBroadcast(home.id, std::move(encoded));
  return home;
}

std::shared_ptr<const void> FindBroadcast(int64_t id, const std::type_info& type,
                                          DecodeBroadcast decode) {
  TaskContext* const task = TaskContext::Current();
  if (task == nullptr) {
    throw std::logic_error(
        "Broadcast::Value: this copy of the handle has the value only in the functions of tasks");
  }
  const std::shared_ptr<const std::string> encoded = task->Broadcast(id);
  if (encoded == nullptr) {
    throw std::runtime_error(absl::StrCat(
        "Broadcast::Value: the value of broadcast ", id,
        " is not on this worker; bind its handle to the function with millrace::BindFront"));
  }
  const std::shared_ptr<DecodedValue> decoded = TheDecodedValues().Find(encoded, type);
  absl::call_once(decoded->once, [&] { decoded->value = decode(*encoded); });
  if (decoded->value == nullptr) {
    throw std::runtime_error(
        absl::StrCat("Broadcast::Value: the value of broadcast ", id, " cannot be decoded"));
  }
  return decoded->value;
}

}  // namespace millrace::internal
