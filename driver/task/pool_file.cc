#include "driver/task/pool_file.h"

#include <algorithm>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "common/base/status_macros.h"

namespace millrace::internal {
namespace {

constexpr std::string_view kSpace = " \t\r\n";

std::string_view Trimmed(std::string_view text) {
  const size_t begin = text.find_first_not_of(kSpace);
  if (begin == std::string_view::npos) return "";
  return text.substr(begin, text.find_last_not_of(kSpace) - begin + 1);
}

std::string Quoted(std::string_view text) {
  return absl::StrCat("'", absl::string_view(text.data(), text.size()), "'");
}

// Reads elements one after the other: as much of XML as such files use.
class ElementReader {
 public:
  explicit ElementReader(std::string_view text) : text_(text) {}

  // What stands between < and > of the next tag, after blanks, comments and declarations.
  absl::StatusOr<std::string_view> NextTag() {
    RETURN_IF_ERROR(SkipToTag());
    const size_t end = text_.find('>', position_);
    if (position_ >= text_.size()) return Error("the file ends too early");
    if (text_[position_] != '<' || end == std::string_view::npos) return Error("expected a <tag>");
    const std::string_view tag = text_.substr(position_ + 1, end - position_ - 1);
    position_ = end + 1;
    return Trimmed(tag);
  }
  absl::Status Expect(std::string_view wanted) {
    ASSIGN_OR_RETURN(const std::string_view tag, NextTag());
    if (tag == wanted) return absl::OkStatus();
    return Error(absl::StrCat("expected <", std::string(wanted), ">, not <", std::string(tag), ">"));
  }
  // The text of an element whose tag was read, and its end.
  absl::StatusOr<std::string_view> Value(std::string_view tag) {
    const size_t end = std::min(text_.find('<', position_), text_.size());
    const std::string_view value = Trimmed(text_.substr(position_, end - position_));
    position_ = end;
    RETURN_IF_ERROR(Expect(absl::StrCat("/", std::string(tag))));
    return value;
  }
  absl::Status ExpectEnd() {
    RETURN_IF_ERROR(SkipToTag());
    return position_ == text_.size() ? absl::OkStatus() : Error("expected the end of the file");
  }

  absl::Status Error(std::string_view what) const {
    const auto line = 1 + std::count(text_.begin(), text_.begin() + position_, '\n');
    return absl::InvalidArgumentError(absl::StrCat("line ", line, ": ", std::string(what)));
  }

 private:
  absl::Status SkipToTag() {
    while (true) {
      position_ = std::min(text_.find_first_not_of(kSpace, position_), text_.size());
      const std::string_view rest = text_.substr(position_);
      std::string_view end;
      if (rest.starts_with("<!--")) {
        end = "-->";
      } else if (rest.starts_with("<?")) {
        end = "?>";
      } else {
        return absl::OkStatus();
      }
      const size_t found = text_.find(end, position_);
      if (found == std::string_view::npos) return Error("a comment or declaration has no end");
      position_ = found + end.size();
    }
  }

  const std::string_view text_;
  size_t position_ = 0;
};

// Of `pool name="x"`.
absl::StatusOr<std::string> PoolName(const ElementReader& reader, std::string_view tag) {
  std::string_view rest = Trimmed(tag.substr(std::string_view("pool").size()));
  const bool has_name = rest.starts_with("name");
  if (has_name) rest = Trimmed(rest.substr(4));
  if (!has_name || !rest.starts_with('=')) return reader.Error("a pool needs a name=\"...\"");
  rest = Trimmed(rest.substr(1));
  const bool is_quoted = rest.size() > 2 && (rest[0] == '"' || rest[0] == '\'') &&
                         rest.find(rest[0], 1) == rest.size() - 1;
  if (!is_quoted) return reader.Error("a pool needs a name=\"...\" and nothing else");
  return std::string(rest.substr(1, rest.size() - 2));
}

absl::StatusOr<int> NumberFrom(const ElementReader& reader, std::string_view tag,
                               std::string_view text, int least) {
  int number = 0;
  if (absl::SimpleAtoi(absl::string_view(text.data(), text.size()), &number) && number >= least) {
    return number;
  }
  return reader.Error(absl::StrCat(std::string(tag), " must be a whole number, at least ", least,
                                   ", not ", Quoted(text)));
}

absl::Status ReadSetting(ElementReader& reader, std::string_view tag, PoolSpec& pool) {
  ASSIGN_OR_RETURN(const std::string_view value, reader.Value(tag));
  if (tag == "schedulingMode") {
    if (value != "FIFO" && value != "FAIR") {
      return reader.Error(absl::StrCat("schedulingMode must be FIFO or FAIR, not ", Quoted(value)));
    }
    pool.is_fair = value == "FAIR";
    return absl::OkStatus();
  }
  if (tag == "weight") {
    ASSIGN_OR_RETURN(pool.weight, NumberFrom(reader, tag, value, 1));
    return absl::OkStatus();
  }
  if (tag == "minShare") {
    ASSIGN_OR_RETURN(pool.min_share, NumberFrom(reader, tag, value, 0));
    return absl::OkStatus();
  }
  return reader.Error(absl::StrCat("a pool has schedulingMode, weight and minShare, no ",
                                   Quoted(tag)));
}

absl::StatusOr<PoolSpec> ReadPool(ElementReader& reader) {
  PoolSpec pool;
  while (true) {
    ASSIGN_OR_RETURN(const std::string_view tag, reader.NextTag());
    if (tag == "/pool") return pool;
    RETURN_IF_ERROR(ReadSetting(reader, tag, pool));
  }
}

}  // namespace

absl::StatusOr<std::map<std::string, PoolSpec>> ParsePools(std::string_view text) {
  std::map<std::string, PoolSpec> pools;
  ElementReader reader(text);
  RETURN_IF_ERROR(reader.Expect("allocations"));
  while (true) {
    ASSIGN_OR_RETURN(std::string_view tag, reader.NextTag());
    if (tag == "/allocations") break;
    const bool is_pool = tag.starts_with("pool") && tag.size() > 4 &&
                         kSpace.find(tag[4]) != std::string_view::npos;
    if (!is_pool) return reader.Error(absl::StrCat("expected <pool name=\"...\">, not <",
                                                   std::string(tag), ">"));
    const bool is_empty = tag.ends_with('/');
    if (is_empty) tag.remove_suffix(1);
    ASSIGN_OR_RETURN(std::string name, PoolName(reader, tag));
    if (pools.contains(name)) return reader.Error(absl::StrCat("a second pool ", Quoted(name)));
    PoolSpec pool;
    if (!is_empty) {
      ASSIGN_OR_RETURN(pool, ReadPool(reader));
    }
    pools.emplace(std::move(name), pool);
  }
  RETURN_IF_ERROR(reader.ExpectEnd());
  return pools;
}

}  // namespace millrace::internal
