// Code is named, not shipped: every operator, receiver and sink that a program can run registers
// itself here before main(), under a name that is the same in every process of the application.
#ifndef MILLRACE_COMMON_PLAN_OPERATOR_REGISTRY_H_
#define MILLRACE_COMMON_PLAN_OPERATOR_REGISTRY_H_

#include <string>
#include <string_view>
#include <typeinfo>

namespace millrace::internal {

// A stateless object that does the work behind a name: an Operator, a ReceiverFactory, ...
class Registered {
 public:
  virtual ~Registered() = default;
};

// One registration. Lives for the whole process; its address is never shown to another one.
class RegistryEntry {
 public:
  // `type_name` is the mangled name of the registered class.
  RegistryEntry(const char* type_name, const Registered* object);
  RegistryEntry(const RegistryEntry&) = delete;
  RegistryEntry& operator=(const RegistryEntry&) = delete;

  const std::string& name() const { return name_; }
  const Registered& object() const { return *object_; }

 private:
  std::string name_;
  const Registered* object_;
};

// nullptr when this binary has no such entry: the name came from another program.
// Thread-safe once main() runs.
const RegistryEntry* FindRegistered(std::string_view name);

// Registers `Object`, a default-constructible subclass of Registered, by its mere mention:
// the static member below is initialised before main() in every program that could name it.
//
// Two types of one mangled name can only be types local to two source files (lambdas in functions
// of anonymous namespaces, say). Each then has a `Registration` of its own; the second to register
// gets the name with "#2" appended, the third "#3", ... All processes run the same binary, which
// initialises its statics in the same order, so the names agree everywhere.
template <class Object>
class Registration {
 public:
  static const RegistryEntry& entry() { return entry_; }

 private:
  static const RegistryEntry& entry_;
};

// Never destroyed: tasks may still run while a process ends.
template <class Object>
const RegistryEntry& Registration<Object>::entry_ = *new RegistryEntry(typeid(Object).name(),
                                                                       new Object);

}  // namespace millrace::internal

#endif  // MILLRACE_COMMON_PLAN_OPERATOR_REGISTRY_H_
