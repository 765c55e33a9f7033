#include "executor/receiver/find_receiver.h"

#include <exception>

#include "absl/strings/str_cat.h"
#include "common/record/codec.h"
#include "executor/receiver/raw_socket_receiver.h"
#include "executor/receiver/socket_address.h"
#include "executor/receiver/socket_text_receiver.h"

namespace millrace::internal {

namespace {

template <class SocketReceiverType>
class SocketReceiverFactory final : public ReceiverFactory {
 public:
  absl::StatusOr<std::unique_ptr<ReceiverBase>> Make(std::string_view params) const override {
    SocketAddress address;
    if (!DecodeFromBytes(params, address) || address.host.empty() || address.port < 1 ||
        address.port > 65535) {
      return absl::InvalidArgumentError(
          "a socket receiver needs the name of a host and a port from 1 to 65535");
    }
    return std::make_unique<SocketReceiverType>(std::move(address));
  }
};

// Registered here, beside the code that looks names up, so that no linker leaves them out.
const SocketReceiverFactory<SocketTextReceiver> socket_text_factory;
const SocketReceiverFactory<RawSocketReceiver> raw_socket_factory;
const RegistryEntry socket_text_entry(kSocketTextReceiverName, &socket_text_factory);
const RegistryEntry raw_socket_entry(kRawSocketReceiverName, &raw_socket_factory);

}  // namespace

absl::StatusOr<std::unique_ptr<ReceiverBase>> MakeReceiver(const std::string& factory_name,
                                                           const std::string& params) {
  const RegistryEntry* const entry = FindRegistered(factory_name);
  const auto* factory =
      entry == nullptr ? nullptr : dynamic_cast<const ReceiverFactory*>(&entry->object());
  if (factory == nullptr) {
    return absl::NotFoundError(absl::StrCat("this program has no receiver named '", factory_name,
                                            "': are driver and worker the same binary?"));
  }
  try {
    absl::StatusOr<std::unique_ptr<ReceiverBase>> receiver = factory->Make(params);
    if (receiver.ok() && *receiver == nullptr) {
      return absl::InternalError(absl::StrCat("the factory '", factory_name, "' made no receiver"));
    }
    return receiver;
  } catch (const std::exception& e) {
    return absl::UnknownError(absl::StrCat("making the receiver threw: ", e.what()));
  } catch (...) {
    return absl::UnknownError("making the receiver threw something that is not a std::exception");
  }
}

}  // namespace millrace::internal
