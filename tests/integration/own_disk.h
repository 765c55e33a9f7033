// A disk that a test can fill.
#ifndef MILLRACE_TESTS_INTEGRATION_OWN_DISK_H_
#define MILLRACE_TESTS_INTEGRATION_OWN_DISK_H_

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cerrno>
#include <string>

#include "tests/support/child_limits.h"
#include "tests/support/temp_dir.h"

namespace millrace {

// In memory, and seen by this process and those that it starts from now on. One thread, before the
// process has others.
class OwnDisk {
 public:
  explicit OwnDisk(int bytes) : is_there_(SmallDisk(directory_.path(), bytes)()) {}
  ~OwnDisk() {
    if (is_there_) umount2(directory_.path().c_str(), MNT_DETACH);
  }
  OwnDisk(const OwnDisk&) = delete;
  OwnDisk& operator=(const OwnDisk&) = delete;

  // False: the system does not let us mount, and the directory is an ordinary one.
  bool is_there() const { return is_there_; }
  const std::string& path() const { return directory_.path(); }

  // Not one more byte has room, until Free.
  void Fill() const {
    const int fd = open(Filler().c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    ASSERT_GE(fd, 0);
    const std::string bytes(1 << 12, 'x');
    while (write(fd, bytes.data(), bytes.size()) > 0) {
    }
    EXPECT_EQ(errno, ENOSPC);
    close(fd);
  }
  void Free() const { EXPECT_EQ(unlink(Filler().c_str()), 0); }

 private:
  std::string Filler() const { return path() + "/filler"; }

  const TempDir directory_;
  const bool is_there_;
};

}  // namespace millrace

#endif  // MILLRACE_TESTS_INTEGRATION_OWN_DISK_H_
