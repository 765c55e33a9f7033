// A function that takes whatever bytes it is given: for libFuzzer, which looks for bytes that break
// it, and for the test that runs all that were ever found.
#ifndef MILLRACE_TESTS_FUZZ_FUZZ_TARGET_H_
#define MILLRACE_TESTS_FUZZ_FUZZ_TARGET_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace google::protobuf {
class Message;
}

namespace millrace::internal {

// The bytes of a corpus by the names of their files.
using FuzzSeeds = std::vector<std::pair<std::string, std::string>>;

// Made once in the source file of a target, as a static object: it is known by its name then.
struct FuzzTarget {
  // Bytes that are wrong are refused by the product, with a Status; what breaks a promise of it
  // ends the process. True: the product took them for whole and right.
  using Run = bool (*)(std::string_view bytes);
  // What the product's own encoders make; Run says true to each.
  using Seeds = FuzzSeeds (*)();

  // Of a target that takes a script (tests/fuzz/message_script.h): the messages by their kinds.
  using Prototypes = std::vector<const google::protobuf::Message*> (*)();

  FuzzTarget(std::string_view name, Run run, Seeds seeds, Prototypes prototypes = nullptr);
  FuzzTarget(const FuzzTarget&) = delete;
  FuzzTarget& operator=(const FuzzTarget&) = delete;

  const std::string_view name;
  const Run run;
  const Seeds seeds;
  const Prototypes prototypes;
};

// Those that are linked into this program, in the order of their names.
std::vector<const FuzzTarget*> FuzzTargets();

// Bytes taken apart from their front. At the end there are zeros and nothing.
class FuzzBytes {
 public:
  explicit FuzzBytes(std::string_view bytes) : bytes_(bytes) {}

  bool empty() const { return bytes_.empty(); }
  std::string_view Rest() { return std::exchange(bytes_, {}); }
  std::string_view Take(size_t size);
  uint8_t TakeByte();
  uint16_t TakeU16();  // Little-endian.
  uint32_t TakeU32();
  // What a FuzzWriter has put: a size of two bytes, and so many.
  std::string_view TakeSized() { return Take(TakeU16()); }

 private:
  std::string_view bytes_;
};

// The other way round.
class FuzzWriter {
 public:
  FuzzWriter& PutByte(uint8_t value);
  FuzzWriter& PutU16(uint16_t value);
  FuzzWriter& PutU32(uint32_t value);
  FuzzWriter& Put(std::string_view bytes);
  FuzzWriter& PutSized(std::string_view bytes);
  std::string Take() { return std::move(bytes_); }

 private:
  std::string bytes_;
};

}  // namespace millrace::internal

#endif  // MILLRACE_TESTS_FUZZ_FUZZ_TARGET_H_
