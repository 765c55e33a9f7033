// Records of the driver daemon on the disk: each is a file.
#ifndef MILLRACE_DRIVER_DAEMON_RECORD_DIR_H_
#define MILLRACE_DRIVER_DAEMON_RECORD_DIR_H_

#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/fs/file_system.h"
#include "common/fs/file_util.h"
#include "common/fs/path.h"

namespace millrace {

inline constexpr int kRecordVersion = 1;
inline constexpr uint64_t kRecordBytesMax = uint64_t{16} << 20;

// Messages of one type that have a `version`, by name. A name is one of ours, never a peer's.
template <class Record>
class RecordDir {
 public:
  RecordDir(FileSystem& fs, std::string dir) : fs_(fs), dir_(std::move(dir)) {}

  // Afterwards it is on the disk. ResourceExhausted: it is larger than what ReadAll takes, and the
  // next daemon would not start.
  absl::Status Write(const std::string& name, Record record) {
    record.set_version(kRecordVersion);
    const std::string bytes = record.SerializeAsString();
    if (bytes.size() > kRecordBytesMax) {
      return absl::ResourceExhaustedError(absl::StrCat("the record of ", name, " has ",
                                                       bytes.size(), " bytes, more than the ",
                                                       kRecordBytesMax, " that are kept"));
    }
    return WriteFileAtomically(fs_, JoinPath(dir_, name), bytes);
  }

  absl::Status Delete(const std::string& name) { return fs_.Delete(JoinPath(dir_, name)); }

  // In the order of names. DataLoss names the file that is damaged or of another version.
  absl::StatusOr<std::vector<Record>> ReadAll() {
    RETURN_IF_ERROR(fs_.CreateDirs(dir_));
    ASSIGN_OR_RETURN(const std::vector<FileInfo> files, fs_.List(dir_));
    std::vector<Record> records;
    for (const FileInfo& file : files) {
      const std::string path = JoinPath(dir_, file.name);
      if (file.name.ends_with(".tmp")) {  // A write that a crash cut short.
        RETURN_IF_ERROR(fs_.Delete(path));
        continue;
      }
      ASSIGN_OR_RETURN(const std::string bytes, ReadWholeFile(fs_, path, kRecordBytesMax));
      Record record;
      if (!record.ParseFromString(bytes) || record.version() != kRecordVersion) {
        return absl::DataLossError(
            absl::StrCat("'", path, "' is damaged or of another version of Millrace"));
      }
      records.push_back(std::move(record));
    }
    return records;
  }

 private:
  FileSystem& fs_;
  const std::string dir_;
};

}  // namespace millrace

#endif  // MILLRACE_DRIVER_DAEMON_RECORD_DIR_H_
