#include "tests/fuzz/fuzz_target.h"

#include <algorithm>
#include <map>

#include "glog/logging.h"

namespace millrace::internal {
namespace {

// Targets are made before main() in no order between files, so the table is made by the first.
std::map<std::string_view, const FuzzTarget*>& Table() {
  static auto& table = *new std::map<std::string_view, const FuzzTarget*>;
  return table;
}

}  // namespace

FuzzTarget::FuzzTarget(std::string_view name, Run run, Seeds seeds, Prototypes prototypes)
    : name(name), run(run), seeds(seeds), prototypes(prototypes) {
  CHECK(Table().emplace(name, this).second) << "two fuzz targets are named " << name;
}

std::vector<const FuzzTarget*> FuzzTargets() {
  std::vector<const FuzzTarget*> targets;
  for (const auto& [name, target] : Table()) targets.push_back(target);
  return targets;
}

std::string_view FuzzBytes::Take(size_t size) {
  const std::string_view taken = bytes_.substr(0, size);
  bytes_.remove_prefix(taken.size());
  return taken;
}

uint8_t FuzzBytes::TakeByte() {
  const std::string_view taken = Take(1);
  return taken.empty() ? 0 : static_cast<uint8_t>(taken[0]);
}

uint16_t FuzzBytes::TakeU16() {
  const uint16_t low = TakeByte();
  return static_cast<uint16_t>(low | (TakeByte() << 8));
}

uint32_t FuzzBytes::TakeU32() {
  const uint32_t low = TakeU16();
  return low | (static_cast<uint32_t>(TakeU16()) << 16);
}

FuzzWriter& FuzzWriter::PutByte(uint8_t value) {
  bytes_.push_back(static_cast<char>(value));
  return *this;
}

FuzzWriter& FuzzWriter::PutU16(uint16_t value) {
  return PutByte(static_cast<uint8_t>(value)).PutByte(static_cast<uint8_t>(value >> 8));
}

FuzzWriter& FuzzWriter::PutU32(uint32_t value) {
  return PutU16(static_cast<uint16_t>(value)).PutU16(static_cast<uint16_t>(value >> 16));
}

FuzzWriter& FuzzWriter::Put(std::string_view bytes) {
  bytes_ += bytes;
  return *this;
}

FuzzWriter& FuzzWriter::PutSized(std::string_view bytes) {
  CHECK_LE(bytes.size(), UINT16_MAX);
  return PutU16(static_cast<uint16_t>(bytes.size())).Put(bytes);
}

}  // namespace millrace::internal
