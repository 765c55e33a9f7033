// A directory that is gone when its owner is.
#ifndef MILLRACE_TESTS_BENCH_PROGRAM_TEMPORARY_DIRECTORY_H_
#define MILLRACE_TESTS_BENCH_PROGRAM_TEMPORARY_DIRECTORY_H_

#include <cstdlib>
#include <filesystem>
#include <string>

namespace millrace::bench {

class TemporaryDirectory {
 public:
  TemporaryDirectory()
      : path_((std::filesystem::temp_directory_path() / "millrace-bench-XXXXXX").string()) {
    if (::mkdtemp(path_.data()) == nullptr) path_.clear();
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  ~TemporaryDirectory() {
    std::error_code ignored;
    if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
  }

  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace millrace::bench

#endif  // MILLRACE_TESTS_BENCH_PROGRAM_TEMPORARY_DIRECTORY_H_
