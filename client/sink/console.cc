#include "client/sink/console.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "absl/strings/str_cat.h"

namespace millrace::internal {
namespace {

// Carriage return, erase to the end of the line.
constexpr std::string_view kWipeLine = "\r\033[K";

void WriteToStderr(std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stderr);
  std::fflush(stderr);
}

// Of the terminal that is standard error, in characters.
size_t TerminalWidth() {
  winsize size{};
  const bool known = ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
  return known ? size.ws_col : std::string_view::npos;
}

}  // namespace

Console& Console::Get() {
  static Console& console = *new Console;
  return console;
}

absl::Status Console::Print(std::string_view text) {
  const absl::MutexLock lock(&mutex_);
  Wipe();
  errno = 0;
  if (std::fwrite(text.data(), 1, text.size(), stdout) == text.size() && std::fflush(stdout) == 0) {
    return absl::OkStatus();
  }
  const int error = errno;
  std::clearerr(stdout);
  return absl::UnavailableError(
      absl::StrCat("standard output: ", error == 0 ? "cannot write" : std::strerror(error)));
}

void Console::ShowProgress(std::string_view line) {
  const absl::MutexLock lock(&mutex_);
  WriteToStderr(kWipeLine);
  WriteToStderr(line.substr(0, TerminalWidth()));
  WriteToStderr("\r");
  progress_shown_ = true;
}

void Console::ClearProgress() {
  const absl::MutexLock lock(&mutex_);
  Wipe();
}

void Console::WriteLines(absl::FunctionRef<void()> write) {
  const absl::MutexLock lock(&mutex_);
  Wipe();
  write();
}

void Console::Wipe() {
  if (!progress_shown_) return;
  WriteToStderr(kWipeLine);
  progress_shown_ = false;
}

}  // namespace millrace::internal
