// Operators for plans that a fuzz target makes: those of the product, on words and numbers.
#ifndef MILLRACE_TESTS_FUZZ_PLAN_OPERATORS_H_
#define MILLRACE_TESTS_FUZZ_PLAN_OPERATORS_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "proto/plan.pb.h"

namespace millrace::internal {

using Word = std::pair<std::string_view, int64_t>;

// Registered names are long and never the outcome of a small change; here a letter stands for one.
// The names of all nodes whose name is one byte become what that stands for.
void ExpandOperatorNames(proto::StagePlan& plan);

// Adds a node behind those that are there; its number.
uint32_t AddNode(proto::StagePlan& plan, char letter, const std::vector<uint32_t>& inputs,
                 proto::BindingKind binding = proto::BINDING_NONE, const std::string& params = "");
// A root that returns the words of `input`.
void AddCollect(proto::StagePlan& plan, uint32_t input);

}  // namespace millrace::internal

#endif  // MILLRACE_TESTS_FUZZ_PLAN_OPERATORS_H_
