#include "common/plan/operator_registry.h"

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace millrace::internal {
namespace {

struct Registry {
  absl::flat_hash_map<std::string, const RegistryEntry*> by_name;
  absl::flat_hash_map<std::string, int> registrations_of_type;
};

// Registrations run before main() in no order between files, so the table is made by the first.
Registry& TheRegistry() {
  static Registry& registry = *new Registry;
  return registry;
}

}  // namespace

RegistryEntry::RegistryEntry(const char* type_name, const Registered* object) : object_(object) {
  const int count = ++TheRegistry().registrations_of_type[type_name];
  name_ = count == 1 ? std::string(type_name) : absl::StrCat(type_name, "#", count);
  TheRegistry().by_name.emplace(name_, this);
}

const RegistryEntry* FindRegistered(std::string_view name) {
  const auto& by_name = TheRegistry().by_name;
  const auto it = by_name.find(absl::string_view(name.data(), name.size()));
  return it == by_name.end() ? nullptr : it->second;
}

}  // namespace millrace::internal
