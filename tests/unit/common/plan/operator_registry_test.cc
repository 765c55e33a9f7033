#include "common/plan/operator_registry.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "tests/unit/common/plan/same_named_types.h"

namespace millrace::internal {
namespace {

class Answer : public Registered {
 public:
  int Get() const { return 42; }
};

template <class T>
class Generic : public Registered {};

TEST(OperatorRegistryTest, FindsWhatAProgramNames) {
  const RegistryEntry& entry = Registration<Answer>::entry();
  EXPECT_EQ(FindRegistered(entry.name()), &entry);
  EXPECT_EQ(static_cast<const Answer&>(entry.object()).Get(), 42);
}

TEST(OperatorRegistryTest, EachInstantiationHasItsName) {
  EXPECT_NE(Registration<Generic<int>>::entry().name(),
            Registration<Generic<long>>::entry().name());
}

TEST(OperatorRegistryTest, WhatNobodyNamesIsNotThere) {
  EXPECT_EQ(FindRegistered("no such operator"), nullptr);
  EXPECT_EQ(FindRegistered(""), nullptr);
}

TEST(OperatorRegistryTest, TypesOfOneNameInTwoFilesAreToldApart) {
  const RegistryEntry* const first = FirstFilesEntry();
  const RegistryEntry* const second = SecondFilesEntry();
  ASSERT_NE(first, second);
  EXPECT_NE(first->name(), second->name());
  EXPECT_EQ(FindRegistered(first->name()), first);
  EXPECT_EQ(FindRegistered(second->name()), second);
  EXPECT_EQ(static_cast<const Named&>(first->object()).File(), "first");
  EXPECT_EQ(static_cast<const Named&>(second->object()).File(), "second");
}

}  // namespace
}  // namespace millrace::internal
