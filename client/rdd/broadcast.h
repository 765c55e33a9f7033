// Values that are sent to each worker once, instead of with every function that reads them.
#ifndef MILLRACE_CLIENT_RDD_BROADCAST_H_
#define MILLRACE_CLIENT_RDD_BROADCAST_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <typeinfo>
#include <utility>

#include "client/rdd/context_state.h"
#include "common/function/function_params.h"
#include "common/record/codec.h"

namespace millrace {
namespace internal {

struct BroadcastHome {
  int64_t id = 0;
  std::shared_ptr<void> lease;  // Workers keep the value as long.
};

BroadcastHome PutBroadcast(const ContextRef& context, std::string encoded);

// Decodes a value; null when the bytes are none.
using DecodeBroadcast = std::shared_ptr<const void> (*)(std::string_view encoded);

// The value of a broadcast on a worker: decoded once for all tasks of the process. Throws what
// fails the task: outside of a task, or where the worker has no such value.
std::shared_ptr<const void> FindBroadcast(int64_t id, const std::type_info& type,
                                          DecodeBroadcast decode);

}  // namespace internal

// Made by Context::Broadcast. A handle: copies stand for one value, which lives as long as the last
// of them and as the data sets and streams whose functions read it. Functions get it bound:
//   auto stop_words = context.Broadcast(std::set<std::string>{"a", "the"});
//   words.Filter(millrace::BindFront([](const millrace::Broadcast<std::set<std::string>>&
//   stop_words,
//                                       const std::string& word) {
//     return stop_words.Value().count(word) == 0;
//   }, stop_words));
// Threads: a handle is one thread's at a time.
template <class T>
class Broadcast {
 public:
  Broadcast() = default;
  Broadcast(const internal::ContextRef& context, T value)
      : value_(std::make_shared<const T>(std::move(value))),
        home_(internal::PutBroadcast(context, internal::EncodeToString(*value_))) {}

  // In the functions of tasks and in the program. Valid as long as the handle.
  const T& Value() const {
    if (value_ == nullptr) {
      value_ =
          std::static_pointer_cast<const T>(internal::FindBroadcast(home_.id, typeid(T), &Decode));
    }
    return *value_;
  }
  int64_t id() const { return home_.id; }

  template <class Archive>
  void serialize(Archive& archive) {
    archive(home_.id);
    internal::BroadcastRecorder::Note(home_.id, home_.lease);
  }

 private:
  static std::shared_ptr<const void> Decode(std::string_view encoded) {
    auto value = std::make_shared<T>();
    return internal::DecodeFromBytes(encoded, *value) ? value : nullptr;
  }

  mutable std::shared_ptr<const T> value_;  // Null until a worker asks for it.
  internal::BroadcastHome home_;
};

}  // namespace millrace

#endif  // MILLRACE_CLIENT_RDD_BROADCAST_H_
