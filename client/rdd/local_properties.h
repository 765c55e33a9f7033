// Settings of a thread for the jobs that it submits.
#ifndef MILLRACE_CLIENT_RDD_LOCAL_PROPERTIES_H_
#define MILLRACE_CLIENT_RDD_LOCAL_PROPERTIES_H_

#include <map>
#include <string>
#include <string_view>

namespace millrace::internal {

// The pool of a job, where millrace.scheduler.mode is FAIR.
inline constexpr std::string_view kPoolProperty = "millrace.scheduler.pool";

using LocalProperties = std::map<std::string, std::string, std::less<>>;

// The calling thread's own.
LocalProperties& ThreadProperties();

// While it lives, the thread has these properties; afterwards those that it had before.
class LocalPropertiesScope {
 public:
  explicit LocalPropertiesScope(const LocalProperties& properties);
  ~LocalPropertiesScope();
  LocalPropertiesScope(const LocalPropertiesScope&) = delete;
  LocalPropertiesScope& operator=(const LocalPropertiesScope&) = delete;

 private:
  LocalProperties outer_;
};

}  // namespace millrace::internal

#endif  // MILLRACE_CLIENT_RDD_LOCAL_PROPERTIES_H_
