// What a child process may be denied before it runs its program (Process::Options::before).
#ifndef MILLRACE_TESTS_SUPPORT_CHILD_LIMITS_H_
#define MILLRACE_TESTS_SUPPORT_CHILD_LIMITS_H_

#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <functional>
#include <string>
#include <utility>

namespace millrace {

// The user root reads and writes no more than a file's mode says, like any other user.
inline bool ObeyFileModes() {
  return geteuid() != 0 || (prctl(PR_CAPBSET_DROP, CAP_DAC_OVERRIDE) == 0 &&
                            prctl(PR_CAPBSET_DROP, CAP_DAC_READ_SEARCH) == 0);
}

inline bool WriteTo(const char* path, const std::string& text) {
  const int fd = open(path, O_WRONLY | O_CLOEXEC);
  return fd >= 0 && write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size());
}

// A disk of `bytes` at `directory`, which this child alone sees, and whose end ends it. False where
// the system does not let us mount.
inline std::function<bool()> SmallDisk(std::string directory, int bytes) {
  // A user other than root may mount in a space of users in which it is itself.
  const std::string users = std::to_string(geteuid()) + " " + std::to_string(geteuid()) + " 1";
  const std::string groups = std::to_string(getegid()) + " " + std::to_string(getegid()) + " 1";
  std::string size = "size=" + std::to_string(bytes);
  return [directory = std::move(directory), size = std::move(size), users, groups] {
    const bool may_mount = geteuid() == 0 ? unshare(CLONE_NEWNS) == 0
                                          : unshare(CLONE_NEWNS | CLONE_NEWUSER) == 0 &&
                                                WriteTo("/proc/self/uid_map", users) &&
                                                WriteTo("/proc/self/setgroups", "deny") &&
                                                WriteTo("/proc/self/gid_map", groups);
    return may_mount && mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
           mount("tmpfs", directory.c_str(), "tmpfs", 0, size.c_str()) == 0;
  };
}

}  // namespace millrace

#endif  // MILLRACE_TESTS_SUPPORT_CHILD_LIMITS_H_
