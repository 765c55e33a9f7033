// Programs that a test runs: started, read line by line, signalled, waited for.
#ifndef MILLRACE_TESTS_SUPPORT_PROCESS_H_
#define MILLRACE_TESTS_SUPPORT_PROCESS_H_

#include <sys/types.h>

#include <array>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace millrace {

// How long a test waits for what must come.
inline constexpr int kPatienceMs = 40'000;

// A child process with pipes, or a terminal of its own, for its three streams. What it writes is
// kept, and read on while the test waits for anything of it, so it never stands still at a full
// pipe. Killed when the object goes. One thread.
class Process {
 public:
  enum Stream { kOut, kErr };
  enum class Terminal {
    kNone,
    kErr,   // Standard error is a terminal.
    kBoth,  // Standard output and error are one terminal; kOut has what both write.
  };

  struct Options {
    Terminal terminal = Terminal::kNone;
    unsigned short columns = 200;  // Of the terminal.
    // Standard output goes to this file instead.
    std::string out_path = "";
    // Runs in the child before the program. May do only what is safe after a fork; false: the
    // program is not run and the exit code is kNotRun.
    std::function<bool()> before = nullptr;
  };
  static constexpr int kNotRun = 125;

  explicit Process(std::vector<std::string> argv);
  Process(std::vector<std::string> argv, const Options& options);
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  pid_t pid() const { return pid_; }
  void Signal(int signal) const;

  // All that was read of a stream so far.
  const std::string& text(Stream stream) const { return streams_[stream].text; }
  // Reads until `enough` says so of the stream's text; false when it ends, or patience does,
  // before.
  bool AwaitText(Stream stream, const std::function<bool(const std::string& text)>& enough);
  bool Await(Stream stream, std::string_view part);
  // The line behind those that were returned already, without its end; nothing when none comes.
  std::optional<std::string> NextLine(Stream stream);

  // The exit code, or 128 + the signal that ended it; nothing when it does not end. All that it
  // wrote has been read then.
  std::optional<int> AwaitExit();

  // For the message of a failed expectation.
  std::string Describe() const;

 private:
  struct OpenStream {
    int fd = -1;  // -1: it has ended.
    std::string text;
    size_t next_line = 0;
  };

  // Reads what is there, after waiting for something to happen. False: nothing did.
  bool ReadMore(int timeout_ms);
  void Read(OpenStream& stream);
  bool ReadUntil(const std::function<bool()>& done);
  void Reap();

  const std::vector<std::string> argv_;
  pid_t pid_ = -1;
  int exit_fd_ = -1;  // Readable when the child has ended; -1: it has been waited for.
  std::optional<int> exit_code_;
  std::array<OpenStream, 2> streams_;
};

// What a terminal shows after these bytes, as lines without trailing blanks. It knows carriage
// return, line feed, wrapping and "erase to the end of the line".
std::vector<std::string> Screen(std::string_view bytes, size_t columns);

}  // namespace millrace

#endif  // MILLRACE_TESTS_SUPPORT_PROCESS_H_
