// The terminal, which printed batches and the progress line share.
#ifndef MILLRACE_CLIENT_SINK_CONSOLE_H_
#define MILLRACE_CLIENT_SINK_CONSOLE_H_

#include <cstddef>
#include <string>
#include <string_view>

#include "absl/base/thread_annotations.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"

namespace millrace::internal {

// Standard output for what is printed, standard error for one line that is written over and over.
// On a terminal both are the same screen, so the line is wiped before anything is printed.
// Thread-safe.
class Console {
 public:
  static Console& Get();

  // Writes `text` in one piece and flushes it. The error is that of standard output.
  absl::Status Print(std::string_view text) ABSL_LOCKS_EXCLUDED(mutex_);

  // Shows `line` in place of the line before, cut to the terminal's width: what wraps cannot be
  // wiped. The cursor stays at its beginning, so that what others write does not continue it.
  void ShowProgress(std::string_view line) ABSL_LOCKS_EXCLUDED(mutex_);
  void ClearProgress() ABSL_LOCKS_EXCLUDED(mutex_);
  // Runs `write`, which writes lines to standard error, where no line of progress is in the way.
  void WriteLines(absl::FunctionRef<void()> write) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  void Wipe() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  absl::Mutex mutex_;
  bool progress_shown_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace millrace::internal

#endif  // MILLRACE_CLIENT_SINK_CONSOLE_H_
