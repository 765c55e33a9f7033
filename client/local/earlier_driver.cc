#include "client/local/earlier_driver.h"

#include <utility>

namespace millrace::internal {
namespace {

std::optional<EarlierDriver>& OfThisThread() {
  static thread_local std::optional<EarlierDriver> earlier;
  return earlier;
}

}  // namespace

void SetEarlierDriver(std::optional<EarlierDriver> earlier) { OfThisThread() = std::move(earlier); }

std::optional<EarlierDriver> TakeEarlierDriver() {
  return std::exchange(OfThisThread(), std::nullopt);
}

}  // namespace millrace::internal
