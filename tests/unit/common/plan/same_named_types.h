// Two files that define operators of one name.
#ifndef MILLRACE_TESTS_UNIT_COMMON_PLAN_SAME_NAMED_TYPES_H_
#define MILLRACE_TESTS_UNIT_COMMON_PLAN_SAME_NAMED_TYPES_H_

#include <string>

#include "common/plan/operator_registry.h"

namespace millrace::internal {

class Named : public Registered {
 public:
  virtual std::string File() const = 0;
};

// As an operator over a lambda is.
template <class F>
class NamedBy : public Named {
 public:
  std::string File() const override { return F()(); }
};

template <class F>
const RegistryEntry* EntryOf(F /*f*/) {
  return &Registration<NamedBy<F>>::entry();
}

const RegistryEntry* FirstFilesEntry();
const RegistryEntry* SecondFilesEntry();

}  // namespace millrace::internal

#endif  // MILLRACE_TESTS_UNIT_COMMON_PLAN_SAME_NAMED_TYPES_H_
