#include "common/rpc/log_service.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/fs/for_each_chunk.h"
#include "common/rpc/rpc_status.h"

namespace millrace {

namespace {

constexpr int kAgeMax = 100;

}  // namespace

bool IsPlainId(const std::string& id) {
  return !id.empty() && id.size() <= 200 && id[0] != '.' &&
         std::all_of(id.begin(), id.end(), [](char c) {
           return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '_' ||
                  c == '.';
         });
}

grpc::Status LogServiceShell::Read(grpc::ServerContext* context,
                                   const proto::ReadLogsRequest* request,
                                   grpc::ServerWriter<proto::LogChunk>* writer) {
  if (grpc::Status status = security_.Admit(*context); !status.ok()) return status;
  const auto dir = dir_of_(request->id());
  if (!dir.ok()) return ToGrpcStatus(dir.status());
  for (const bool is_stderr : {false, true}) {
    const std::string path = *dir + (is_stderr ? "/stderr" : "/stdout");
    int oldest = 0;
    while (oldest < kAgeMax && fs_.Stat(absl::StrCat(path, ".", oldest + 1)).ok()) ++oldest;
    proto::LogChunk chunk;
    chunk.set_is_stderr(is_stderr);
    // One that rotates meanwhile is missed or seen twice, which a log may be.
    for (int age = oldest; age >= 0; --age) {
      const absl::Status status = ForEachChunk(fs_, age == 0 ? path : absl::StrCat(path, ".", age),
                                               [&](int64_t, std::string bytes) {
                                                 chunk.set_data(std::move(bytes));
                                                 return writer->Write(chunk);
                                               });
      if (!status.ok() && !absl::IsNotFound(status)) return ToGrpcStatus(status);
    }
  }
  return grpc::Status::OK;
}

}  // namespace millrace
