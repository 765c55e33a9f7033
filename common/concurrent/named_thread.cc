#include "common/concurrent/named_thread.h"

#include <pthread.h>

#include <utility>

namespace millrace {

std::thread StartThread(std::string name, absl::AnyInvocable<void()> body) {
  constexpr size_t kNameLengthMax = 15;
  if (name.size() > kNameLengthMax) name.resize(kNameLengthMax);
  return std::thread([name = std::move(name), body = std::move(body)]() mutable {
    pthread_setname_np(pthread_self(), name.c_str());
    body();
  });
}

}  // namespace millrace
