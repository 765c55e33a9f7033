// A directory of the machine's own for one test.
#ifndef MILLRACE_TESTS_SUPPORT_TEMP_DIR_H_
#define MILLRACE_TESTS_SUPPORT_TEMP_DIR_H_

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <string>

namespace millrace {

// New and empty; removed with all that is in it when the object goes.
class TempDir {
 public:
  TempDir() {
    std::string name = ::testing::TempDir() + "millrace." + std::string(6, 'X');
    if (::mkdtemp(name.data()) != nullptr) path_ = name;
    EXPECT_NE(path_, "") << "no directory could be made in " << ::testing::TempDir();
  }
  ~TempDir() {
    std::error_code ignored;
    if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
  }
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;

  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace millrace

#endif  // MILLRACE_TESTS_SUPPORT_TEMP_DIR_H_
