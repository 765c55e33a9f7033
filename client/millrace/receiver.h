// Writing one's own source.
#ifndef MILLRACE_CLIENT_MILLRACE_RECEIVER_H_
#define MILLRACE_CLIENT_MILLRACE_RECEIVER_H_

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <ranges>
#include <span>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "common/record/codec.h"
#include "common/record/owned.h"
#include "executor/receiver/receiver_base.h"

namespace millrace {

// Takes records of T in from the outside, on a worker, on threads of its own:
//
//   class Numbers : public millrace::Receiver<int64_t> {
//    public:
//     explicit Numbers(int64_t first) : next_(first) {}
//     void OnStart() override {
//       thread_ = std::thread([this] {
//         while (!IsStopped() && Store(next_++)) {
//         }
//       });
//     }
//     void OnStop() override { thread_.join(); }
//    ...
//   };
//   auto numbers = ssc.ReceiverStream<Numbers>(int64_t{42});
//
// OnStart begins to receive and returns; OnStop ends that and waits for its end. The two come in
// turn, maybe many times (see Restart); an exception from either ends the receiver with an error.
// The other methods may be called by any thread between OnStart and the end of OnStop.
//
// What is inherited: Restart(message[, delay]), Stop(message), ReportError(message), IsStarted(),
// IsStopped(), stream_id().
template <class T>
class Receiver : public internal::ReceiverBase {
 public:
  using RecordType = T;

  using internal::ReceiverBase::IsStarted;
  using internal::ReceiverBase::IsStopped;
  using internal::ReceiverBase::ReportError;
  using internal::ReceiverBase::Restart;
  using internal::ReceiverBase::Stop;
  using internal::ReceiverBase::stream_id;

  // Takes one record into the block that is being filled; what is there when the worker dies is
  // lost. Waits while the rate limit or full memory ask for it. False: the receiver was stopped and
  // the record was not taken.
  bool Store(const T& record) {
    internal::Encoder encoder;
    internal::Encode(encoder, record);
    return StoreEncoded(encoder.view());
  }

  // Makes one block of many records. Waits for the limits, and returns when it is safe (stored,
  // with a second copy where the storage level asks for one; with the receiver log, in that on the
  // disk): after OK the source may be told to forget them. After an error they may be counted all
  // the same. DeadlineExceeded: it took millrace.streaming.receiver.blockStoreTimeout.
  template <std::ranges::input_range Records>
  requires(std::convertible_to<std::ranges::range_reference_t<Records>, const T&> &&
           !std::convertible_to<Records, const T&>) absl::Status
      Store(Records&& records, std::string_view metadata = {}) {
    internal::Encoder encoder;
    int64_t count = 0;
    for (auto&& element : records) {
      const T& record = element;
      internal::Encode(encoder, record);
      ++count;
    }
    return StoreEncodedBlock(encoder.TakeBuffer(), count, metadata);
  }

  // The same for records that are encoded already, one after the other (common/record/codec.h). How
  // many there are is not known, so backpressure limits their bytes (and maxRate means nothing).
  absl::Status Store(std::span<const std::byte> encoded_records, std::string_view metadata = {}) {
    return StoreBytes(
        {reinterpret_cast<const char*>(encoded_records.data()), encoded_records.size()}, metadata);
  }
  absl::Status StoreBytes(std::string_view encoded_records, std::string_view metadata = {}) {
    return StoreEncodedBlock(std::string(encoded_records), /*record_count=*/-1, metadata);
  }
};

}  // namespace millrace

#endif  // MILLRACE_CLIENT_MILLRACE_RECEIVER_H_
