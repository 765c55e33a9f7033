#include "tests/golden/case_file.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <sstream>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "common/base/status_macros.h"

namespace millrace::golden {
namespace {

using std::chrono::milliseconds;

absl::Status Wrong(const std::string& what) { return absl::InvalidArgumentError(what); }

std::vector<std::string> Words(std::string_view text) {
  return absl::StrSplit(std::string(text), ' ', absl::SkipWhitespace());
}

// "2s: 1 2" -> {"2s", "1 2"}; without a colon the key is the whole line.
std::pair<std::string, std::string> KeyAndRest(const std::string& line) {
  return absl::StrSplit(line, absl::MaxSplits(absl::ByAnyChar(":"), 1));
}

absl::StatusOr<std::vector<int>> ParseNumbers(std::string_view text) {
  std::vector<int> numbers;
  for (const std::string& word : Words(text)) {
    int number;
    if (!absl::SimpleAtoi(word, &number)) return Wrong(absl::StrCat(word, " is no number"));
    numbers.push_back(number);
  }
  if (numbers.empty()) return Wrong("a number is missing");
  return numbers;
}

absl::StatusOr<Chain> ParseChain(const std::string& text, int line) {
  Chain chain;
  chain.line = line;
  bool first = true;
  for (const auto part : absl::StrSplit(text, " | ")) {
    const std::vector<std::string> words = Words(std::string(part));
    if (words.empty() || (first && words.size() != 1)) {
      return Wrong("a chain is `stream | Operation argument ... | Operation ...`");
    }
    if (first) {
      chain.source = words[0];
    } else {
      chain.steps.push_back(words);
    }
    first = false;
  }
  return chain;
}

absl::StatusOr<absl::StatusCode> ParseCode(const std::string& name) {
  for (int code = 1; code <= static_cast<int>(absl::StatusCode::kUnauthenticated); ++code) {
    if (absl::StatusCodeToString(static_cast<absl::StatusCode>(code)) == name) {
      return static_cast<absl::StatusCode>(code);
    }
  }
  return Wrong(absl::StrCat("\"", name, "\" is no status code"));
}

class CaseFileParser {
 public:
  explicit CaseFileParser(std::string file) : file_(std::move(file)) {}

  absl::StatusOr<std::vector<Case>> Parse(std::string_view text) {
    for (const auto part : absl::StrSplit(std::string(text), '\n')) {
      ++line_;
      const absl::Status status = ParseLine(std::string(part));
      if (!status.ok()) {
        return Wrong(absl::StrCat(file_, ":", line_, ": ", std::string(status.message())));
      }
    }
    return std::move(cases_);
  }

 private:
  // What an indented line means for the directive above it.
  using Body = std::function<absl::Status(const std::string& line)>;

  absl::Status ParseLine(const std::string& line) {
    const std::string text(absl::StripAsciiWhitespace(line));
    if (text.empty() || text[0] == '#') return absl::OkStatus();
    if (line[0] == ' ') {
      return body_ ? body_(text) : Wrong("nothing above this line has indented lines");
    }
    body_ = nullptr;
    return ParseDirective(text);
  }

  absl::Status ParseDirective(const std::string& line) {
    const std::vector<std::string> words = Words(line);
    if (words[0] == "case") return BeginCase(words);
    if (cases_.empty()) return Wrong("a file begins with `case NAME`");
    if (words[0] == "checkpoint" && words.size() == 1) {
      current().has_checkpoint_directory = true;
      return absl::OkStatus();
    }
    if (words[0] == "interval" && words.size() == 2) return SetDuration(current().interval, words);
    if (words[0] == "remember" && words.size() == 2) {
      return SetDuration(current().remember.emplace(), words);
    }
    if (words[0] == "until" && words.size() == 2) return ParseTime(words[1]).status();
    if (words[0] == "input" && words.size() == 3) return BeginInput(words);
    if (words[0] == "data" && words.size() == 3) return BeginDataSet(words);
    if (words[0] == "queue" && words.size() == 3) return BeginQueue(words);
    if (words[0] == "stream" && words.size() >= 4 && words[2] == "=") return AddStream(line, words);
    if (words[0] == "expect") return BeginExpectation(line.substr(6));
    if (words[0] == "slice") return BeginSlice(words);
    if (words[0] == "output") return AddOutput(line.substr(6));
    if (words[0] == "printed" && words.size() == 1) return BeginPrinted();
    if (words[0] == "file" && words.size() == 2) return BeginText(current().files[words[1]]);
    if (words[0] == "start" && words.size() == 3 && words[1] == "fails:") {
      return BeginFailure(current().start_fails.emplace(), words[2]);
    }
    if (words[0] == "batches" && words.size() == 3 && words[1] == "fail:") {
      return BeginFailure(current().batches_fail.emplace(), words[2]);
    }
    return Wrong(absl::StrCat("\"", line, "\" is no directive"));
  }

  Case& current() { return cases_.back(); }

  absl::Status BeginCase(const std::vector<std::string>& words) {
    if (words.size() != 2) return Wrong("a case is `case NAME`");
    for (const char c : words[1]) {
      if (!absl::ascii_isalnum(static_cast<unsigned char>(c)) && c != '_') {
        return Wrong("the name of a case has letters, digits and _ alone");
      }
    }
    for (const Case& other : cases_) {
      if (other.name == words[1]) return Wrong(absl::StrCat("a second case ", other.name));
    }
    Case& added = cases_.emplace_back();
    added.file = file_;
    added.name = words[1];
    added.line = line_;
    return absl::OkStatus();
  }

  static absl::Status SetDuration(milliseconds& duration, const std::vector<std::string>& words) {
    ASSIGN_OR_RETURN(duration, ParseDuration(words[1]));
    return absl::OkStatus();
  }

  // Time is what a batch of the case has.
  absl::StatusOr<Time> ParseTime(const std::string& text) {
    ASSIGN_OR_RETURN(const milliseconds since_start, ParseDuration(text));
    const Time time = Time(0) + since_start;
    if (time <= Time(0) || !time.IsMultipleOf(current().interval)) {
      return Wrong(absl::StrCat("no batch has the time ", text));
    }
    current().last = std::max(current().last, time);
    return time;
  }

  template <class Records>
  absl::Status AddBatch(std::map<Time, Records>& batches, const std::string& key, Records records) {
    ASSIGN_OR_RETURN(const Time time, ParseTime(key));
    if (!batches.emplace(time, std::move(records)).second) {
      return Wrong(absl::StrCat("a second line for ", key));
    }
    return absl::OkStatus();
  }

  absl::Status BeginInput(const std::vector<std::string>& words) {
    current().inputs.push_back({.name = words[1], .type = words[2], .batches = {}, .line = line_});
    body_ = [this](const std::string& line) -> absl::Status {
      InputStream& input = current().inputs.back();
      const auto [key, rest] = KeyAndRest(line);
      if (key == "partitions") {
        ASSIGN_OR_RETURN(const std::vector<int> counts, ParseNumbers(rest));
        input.partitions = counts[0];
        return absl::OkStatus();
      }
      std::optional<std::vector<Value>> records;
      if (absl::StripAsciiWhitespace(rest) != "(no data set)") {
        ASSIGN_OR_RETURN(records, ParseValues(rest));
      }
      return AddBatch(input.batches, key, std::move(records));
    };
    return absl::OkStatus();
  }

  absl::Status BeginDataSet(const std::vector<std::string>& words) {
    current().data_sets.push_back(
        {.name = words[1], .type = words[2], .records = {}, .line = line_});
    body_ = [this](const std::string& line) -> absl::Status {
      ASSIGN_OR_RETURN(const std::vector<Value> more, ParseValues(line));
      std::vector<Value>& records = current().data_sets.back().records;
      records.insert(records.end(), more.begin(), more.end());
      return absl::OkStatus();
    };
    return absl::OkStatus();
  }

  absl::Status BeginQueue(const std::vector<std::string>& words) {
    QueueStream queue;
    queue.name = words[1];
    queue.type = words[2];
    queue.line = line_;
    current().queues.push_back(std::move(queue));
    body_ = [this](const std::string& line) -> absl::Status {
      QueueStream& queue = current().queues.back();
      const auto [key, rest] = KeyAndRest(line);
      if (key == "all at once") {
        queue.one_at_a_time = false;
      } else if (key == "when empty") {
        queue.when_empty = std::string(absl::StripAsciiWhitespace(rest));
      } else if (key == "data set") {
        ASSIGN_OR_RETURN(std::vector<Value> records, ParseValues(rest));
        queue.data_sets.push_back(std::move(records));
      } else {
        return Wrong("a queue has `data set:`, `all at once` and `when empty:`");
      }
      return absl::OkStatus();
    };
    return absl::OkStatus();
  }

  absl::Status AddStream(const std::string& line, const std::vector<std::string>& words) {
    ASSIGN_OR_RETURN(Chain chain, ParseChain(line.substr(line.find('=') + 1), line_));
    current().streams.push_back({words[1], std::move(chain)});
    return absl::OkStatus();
  }

  absl::Status AddOutput(const std::string& text) {
    ASSIGN_OR_RETURN(Chain chain, ParseChain(text, line_));
    current().outputs.push_back(std::move(chain));
    return absl::OkStatus();
  }

  absl::Status BeginExpectation(const std::string& text) {
    ASSIGN_OR_RETURN(Chain chain, ParseChain(text, line_));
    current().expectations.push_back({.chain = std::move(chain), .partitions = {}, .batches = {}});
    body_ = [this](const std::string& line) -> absl::Status {
      Expectation& expectation = current().expectations.back();
      const auto [key, rest] = KeyAndRest(line);
      if (line == "any order") {
        expectation.any_order = true;
        return absl::OkStatus();
      }
      if (key == "partitions") {
        ASSIGN_OR_RETURN(expectation.partitions, ParseNumbers(rest));
        return absl::OkStatus();
      }
      ASSIGN_OR_RETURN(std::vector<Value> records, ParseValues(rest));
      return AddBatch(expectation.batches, key, std::move(records));
    };
    return absl::OkStatus();
  }

  // slice STREAM FROM TO [after TIME]
  absl::Status BeginSlice(const std::vector<std::string>& words) {
    if (words.size() != 4 && (words.size() != 6 || words[4] != "after")) {
      return Wrong("a slice is `slice STREAM FROM TO` or `slice STREAM FROM TO after TIME`");
    }
    ExpectedSlice slice;
    slice.stream = words[1];
    slice.line = line_;
    ASSIGN_OR_RETURN(const milliseconds from, ParseDuration(words[2]));
    ASSIGN_OR_RETURN(const milliseconds to, ParseDuration(words[3]));
    slice.from = Time(0) + from;
    slice.to = Time(0) + to;
    if (words.size() == 6) {
      // At the start, no batch has run.
      slice.after = Time(0);
      if (words[5] != "start") {
        ASSIGN_OR_RETURN(slice.after, ParseTime(words[5]));
      }
    }
    current().slices.push_back(std::move(slice));
    body_ = [this](const std::string& line) -> absl::Status {
      ExpectedSlice& slice = current().slices.back();
      const auto [key, rest] = KeyAndRest(line);
      if (line == "any order") {
        slice.any_order = true;
      } else if (key == "data set") {
        ASSIGN_OR_RETURN(std::vector<Value> records, ParseValues(rest));
        slice.data_sets.push_back(std::move(records));
      } else if (key == "fails") {
        slice.fails.emplace().line = line_;
        ASSIGN_OR_RETURN(slice.fails->code,
                         ParseCode(std::string(absl::StripAsciiWhitespace(rest))));
      } else if (slice.fails) {
        slice.fails->texts.push_back(line);
      } else {
        return Wrong("a slice has `data set:`, `any order` and `fails:`");
      }
      return absl::OkStatus();
    };
    return absl::OkStatus();
  }

  absl::Status BeginPrinted() { return BeginText(current().printed.emplace()); }

  // `text` stays where it is while the directive's lines are read.
  absl::Status BeginText(std::string& text) {
    body_ = [&text](const std::string& line) -> absl::Status {
      if (line[0] != '>') return Wrong("a line of text begins with `>`");
      if (line.size() > 1) text += line.substr(2);
      text += '\n';
      return absl::OkStatus();
    };
    return absl::OkStatus();
  }

  absl::Status BeginFailure(ExpectedFailure& failure, const std::string& code) {
    ASSIGN_OR_RETURN(failure.code, ParseCode(code));
    failure.line = line_;
    body_ = [&failure](const std::string& line) -> absl::Status {
      failure.texts.push_back(line);
      return absl::OkStatus();
    };
    return absl::OkStatus();
  }

  const std::string file_;
  int line_ = 0;
  std::vector<Case> cases_;
  Body body_;
};

}  // namespace

absl::StatusOr<milliseconds> ParseDuration(std::string_view text) {
  const bool is_ms = text.ends_with("ms");
  int64_t count;
  if (!is_ms && !text.ends_with("s")) {
    return Wrong(absl::StrCat("\"", std::string(text), "\" is no duration such as 2s or 500ms"));
  }
  if (!absl::SimpleAtoi(std::string(text.substr(0, text.size() - (is_ms ? 2 : 1))), &count)) {
    return Wrong(absl::StrCat("\"", std::string(text), "\" is no duration such as 2s or 500ms"));
  }
  return milliseconds(is_ms ? count : count * 1000);
}

absl::StatusOr<std::vector<Case>> ParseCases(std::string_view text, const std::string& file) {
  return CaseFileParser(file).Parse(text);
}

absl::StatusOr<std::vector<Case>> ReadCases(const std::string& folder) {
  std::vector<std::string> files;
  std::error_code error;
  for (std::filesystem::recursive_directory_iterator it(folder, error), end; !error && it != end;
       it.increment(error)) {
    if (it->path().extension() == ".test") files.push_back(it->path().string());
  }
  if (error) return absl::NotFoundError(absl::StrCat(folder, ": ", error.message()));
  std::sort(files.begin(), files.end());
  std::vector<Case> cases;
  for (const std::string& path : files) {
    std::ifstream in(path, std::ios::binary);
    std::stringstream text;
    text << in.rdbuf();
    if (!in) return absl::UnavailableError(absl::StrCat(path, ": cannot be read"));
    const std::string file = std::filesystem::path(path).lexically_relative(folder).string();
    ASSIGN_OR_RETURN(std::vector<Case> more, ParseCases(text.str(), file));
    std::move(more.begin(), more.end(), std::back_inserter(cases));
  }
  return cases;
}

}  // namespace millrace::golden
