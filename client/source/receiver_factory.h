// A user's receiver by name, with its constructor's arguments as data.
#ifndef MILLRACE_CLIENT_SOURCE_RECEIVER_FACTORY_H_
#define MILLRACE_CLIENT_SOURCE_RECEIVER_FACTORY_H_

#include <memory>
#include <string>
#include <string_view>
#include <tuple>
#include <typeinfo>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/function/bind_front.h"
#include "common/plan/operator_registry.h"
#include "common/record/codec.h"
#include "driver/batch/streaming_handle.h"
#include "executor/receiver/receiver_base.h"

namespace millrace::internal {

// Makes an R of arguments that were encoded as `Values`.
template <class R, class... Values>
class TypedReceiverFactory final : public ReceiverFactory {
 public:
  absl::StatusOr<std::unique_ptr<ReceiverBase>> Make(std::string_view params) const override {
    Decoder decoder(params);
    std::tuple<Values...> values;
    std::apply([&decoder](auto&... value) { (Decode(decoder, value), ...); }, values);
    if (decoder.failed() || !decoder.done()) {
      return absl::InvalidArgumentError("the receiver's arguments are not those of this program");
    }
    return std::apply(
        [](auto&... value) -> std::unique_ptr<ReceiverBase> {
          return std::make_unique<R>(std::move(value)...);
        },
        values);
  }
};

// "MyReceiver": without namespaces.
std::string ClassName(const std::type_info& type);

// Names the receiver and encodes its arguments; they are kept as BindFront keeps bound values.
template <class R, class... Args>
ReceiverSpec MakeReceiverSpec(StorageLevel level, Args&&... args) {
  using Factory = TypedReceiverFactory<R, typename BoundValue<Args>::type...>;
  static_assert((kIsRecord<typename BoundValue<Args>::type> && ...),
                "ReceiverStream: an argument is of no record type, so it cannot travel to the "
                "worker that makes the receiver: give it `template <class Archive> void "
                "serialize(Archive& archive) { archive(member, ...); }`");
  static_assert(std::is_constructible_v<R, typename BoundValue<Args>::type...>,
                "ReceiverStream<R>(args...): R has no constructor for copies of these arguments "
                "(a literal's copy is a std::string)");
  Encoder encoder;
  (Encode(encoder, typename BoundValue<Args>::type(std::forward<Args>(args))), ...);
  ReceiverSpec spec;
  spec.operator_name = Registration<Factory>::entry().name();
  spec.params = encoder.ToString();
  spec.storage_level = level;
  return spec;
}

}  // namespace millrace::internal

#endif  // MILLRACE_CLIENT_SOURCE_RECEIVER_FACTORY_H_
