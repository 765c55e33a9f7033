// The end of a text that comes piece by piece.
#ifndef MILLRACE_COMMON_PROCESS_LAST_LINES_H_
#define MILLRACE_COMMON_PROCESS_LAST_LINES_H_

#include <cstddef>
#include <string>
#include <string_view>

namespace millrace {

// Keeps at most `bytes_max` bytes, from the beginning of a line where that is within them.
class LastLines {
 public:
  explicit LastLines(size_t bytes_max) : bytes_max_(bytes_max) {}

  void Append(std::string_view text) {
    text_ += text.substr(text.size() > bytes_max_ ? text.size() - bytes_max_ : 0);
    if (text_.size() > 2 * bytes_max_) text_.erase(0, text_.size() - bytes_max_);
    is_cut_ = is_cut_ || text.size() > bytes_max_ || text_.size() > bytes_max_;
  }

  std::string text() const {
    std::string_view last(text_);
    if (!is_cut_) return text_;
    if (last.size() > bytes_max_) last.remove_prefix(last.size() - bytes_max_);
    const size_t line = last.find('\n');
    if (line != std::string_view::npos && line + 1 < last.size()) last.remove_prefix(line + 1);
    return std::string(last);
  }

 private:
  const size_t bytes_max_;
  std::string text_;
  bool is_cut_ = false;
};

}  // namespace millrace

#endif  // MILLRACE_COMMON_PROCESS_LAST_LINES_H_
