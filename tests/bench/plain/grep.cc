#include "tests/bench/plain/grep.h"

#include <cstring>

#include "tests/bench/plain/files.h"

namespace millrace::bench {
namespace {

constexpr size_t kReadBytes = size_t{1} << 20;

// Whole lines only. Looks for the word in all of the text, then for the end of the line it is in.
int64_t CountLines(std::string_view text, std::string_view word) {
  int64_t lines = 0;
  const char* p = text.data();
  const char* const end = p + text.size();
  while (p < end) {
    const void* const found = memmem(p, static_cast<size_t>(end - p), word.data(), word.size());
    if (found == nullptr) break;
    ++lines;
    const char* const in_line = static_cast<const char*>(found);
    const void* const line_end = std::memchr(in_line, '\n', static_cast<size_t>(end - in_line));
    if (line_end == nullptr) break;
    p = static_cast<const char*>(line_end) + 1;
  }
  return lines;
}

}  // namespace

absl::StatusOr<int64_t> CountLinesMapped(const std::string& path, std::string_view word) {
  const absl::StatusOr<MappedFile> file = MappedFile::Open(path);
  if (!file.ok()) return file.status();
  return CountLines(file->bytes(), word);
}

absl::StatusOr<int64_t> CountLinesRead(const std::string& path, std::string_view word) {
  int64_t lines = 0;
  std::string cut_line;  // The start of a line that the last piece ended in.
  const absl::Status read = ReadFile(path, kReadBytes, [&](std::string_view piece) {
    const size_t first_end = piece.find('\n');
    if (first_end == std::string_view::npos) {
      cut_line += piece;
      return;
    }
    cut_line += piece.substr(0, first_end);
    lines += CountLines(cut_line, word);
    const size_t last_end = piece.rfind('\n');
    lines += CountLines(piece.substr(first_end + 1, last_end - first_end), word);
    cut_line = piece.substr(last_end + 1);
  });
  if (!read.ok()) return read;
  return lines + CountLines(cut_line, word);
}

}  // namespace millrace::bench
