// On whose behalf the actions of a thread run.
#ifndef MILLRACE_CLIENT_RDD_JOB_SCOPE_H_
#define MILLRACE_CLIENT_RDD_JOB_SCOPE_H_

#include <cstdint>
#include <string>
#include <utility>

namespace millrace {
class LeftOutputs;
}

namespace millrace::internal {

// While it lives, actions on this thread are part of a batch: they carry its time and output
// operation, and SaveAsTextFile replaces what an earlier run of the batch has written. Outside any
// scope (Current() is null) an action belongs to the program itself.
class JobScope {
 public:
  // `output_op_id` is -1 while the batch is still being made (functions of Transform). Null: no
  // earlier driver has left outputs. They outlive the scope.
  JobScope(int64_t batch_time_ms, int output_op_id, std::string description,
           LeftOutputs* left_outputs = nullptr);
  ~JobScope();
  JobScope(const JobScope&) = delete;
  JobScope& operator=(const JobScope&) = delete;

  static const JobScope* Current();

  int64_t batch_time_ms() const { return batch_time_ms_; }
  int output_op_id() const { return output_op_id_; }
  const std::string& description() const { return description_; }
  LeftOutputs* left_outputs() const { return left_outputs_; }

 private:
  const int64_t batch_time_ms_;
  const int output_op_id_;
  const std::string description_;
  LeftOutputs* const left_outputs_;
  const JobScope* const outer_;
};

}  // namespace millrace::internal

#endif  // MILLRACE_CLIENT_RDD_JOB_SCOPE_H_
