// An operator as the driver's side knows it: a name, data, and where the user wrote it.
#ifndef MILLRACE_COMMON_PLAN_OPERATOR_SPEC_H_
#define MILLRACE_COMMON_PLAN_OPERATOR_SPEC_H_

#include <cstdint>
#include <string>
#include <vector>

#include "common/function/function_params.h"

namespace millrace::internal {

// The numbers of proto::BindingKind, for headers that must not include protobuf.
enum class BindingKind : uint8_t {
  kNone = 0,
  kBlocks = 1,
  kShuffle = 2,
  kCached = 3,
  kSplit = 4,
  kSelect = 5,
  kConcat = 6,
  kState = 7,
  kOutput = 8,
};

// Immutable once in a plan.
struct OperatorSpec {
  std::string operator_name;  // RegistryEntry::name()
  std::string params;         // Encoded; what the operator reads by TaskNode::params().
  BindingKind binding = BindingKind::kNone;
  std::string label;                          // "Map at network_word_count.cc:14"
  std::vector<BroadcastUse> broadcasts = {};  // What its functions read.
};

}  // namespace millrace::internal

#endif  // MILLRACE_COMMON_PLAN_OPERATOR_SPEC_H_
