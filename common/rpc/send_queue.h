// Messages on their way out of one stream.
#ifndef MILLRACE_COMMON_RPC_SEND_QUEUE_H_
#define MILLRACE_COMMON_RPC_SEND_QUEUE_H_

#include <cstddef>
#include <deque>
#include <utility>

namespace millrace::internal {

// The first is being written, the others stand behind it in order. One user at a time.
template <class Message>
class SendQueue {
 public:
  // The message to write now; null while another one is being written. Stays where it is until Pop.
  const Message* Push(Message message) {
    const size_t bytes = message.ByteSizeLong();
    bytes_ += bytes;
    entries_.push_back({std::move(message), bytes});
    return entries_.size() == 1 ? &entries_.front().message : nullptr;
  }

  // The first has been written. The one to write next; null when there is none.
  const Message* Pop() {
    bytes_ -= entries_.front().bytes;
    entries_.pop_front();
    return entries_.empty() ? nullptr : &entries_.front().message;
  }

  size_t count() const { return entries_.size(); }
  size_t bytes() const { return bytes_; }

 private:
  struct Entry {
    Message message;
    size_t bytes;
  };
  std::deque<Entry> entries_;
  size_t bytes_ = 0;
};

}  // namespace millrace::internal

#endif  // MILLRACE_COMMON_RPC_SEND_QUEUE_H_
