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

namespace millrace {

// The user root reads and writes no more than a file's mode says, like any other user.
inline bool ObeyFileModes() {
  return geteuid() != 0 || (prctl(PR_CAPBSET_DROP, CAP_DAC_OVERRIDE) == 0 &&
                            prctl(PR_CAPBSET_DROP, CAP_DAC_READ_SEARCH) == 0);
}

// A disk of `bytes` at `directory`, which this child alone sees, and whose end ends it. False where
// the system does not let us mount.
inline std::function<bool()> SmallDisk(std::string directory, int bytes) {
  std::string size = "size=" + std::to_string(bytes);
  return [directory = std::move(directory), size = std::move(size)] {
    const int spaces = geteuid() == 0 ? CLONE_NEWNS : CLONE_NEWNS | CLONE_NEWUSER;
    return unshare(spaces) == 0 &&
           mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
           mount("tmpfs", directory.c_str(), "tmpfs", 0, size.c_str()) == 0;
  };
}

}  // namespace millrace

#endif  // MILLRACE_TESTS_SUPPORT_CHILD_LIMITS_H_
