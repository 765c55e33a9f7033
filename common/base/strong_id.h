// Ids that cannot be swapped for one another.
#ifndef MILLRACE_COMMON_BASE_STRONG_ID_H_
#define MILLRACE_COMMON_BASE_STRONG_ID_H_

#include <compare>
#include <cstddef>
#include <cstdint>
#include <iosfwd>
#include <string>
#include <utility>

namespace millrace {

// A value of type Rep (an integer or a string) that names one kind of thing:
//   using StageId = StrongId<struct StageIdTag>;
// Made from and turned into Rep explicitly only, which belongs where messages are read and written.
// Ordered, hashable by absl and std containers, printed as the Rep is.
template <class Tag, class Rep = int64_t>
class StrongId {
 public:
  using rep = Rep;

  constexpr StrongId() = default;  // Zero, or empty.
  constexpr explicit StrongId(Rep value) : value_(std::move(value)) {}

  constexpr const Rep& value() const { return value_; }

  friend constexpr bool operator==(const StrongId&, const StrongId&) = default;
  friend constexpr auto operator<=>(const StrongId&, const StrongId&) = default;

  template <class H>
  friend H AbslHashValue(H state, const StrongId& id) {
    return H::combine(std::move(state), id.value_);
  }

  template <class Traits>
  friend std::basic_ostream<char, Traits>& operator<<(std::basic_ostream<char, Traits>& os,
                                                      const StrongId& id) {
    return os << id.value_;
  }

 private:
  Rep value_{};
};

}  // namespace millrace

template <class Tag, class Rep>
struct std::hash<millrace::StrongId<Tag, Rep>> {
  size_t operator()(const millrace::StrongId<Tag, Rep>& id) const {
    return std::hash<Rep>()(id.value());
  }
};

#endif  // MILLRACE_COMMON_BASE_STRONG_ID_H_
