#include "tests/support/printed_batches.h"

#include <gtest/gtest.h>

#include <charconv>
#include <optional>

namespace millrace {
namespace {

constexpr std::string_view kRule = "-------------------------------------------";
static_assert(kRule.size() == 43);

class Lines {
 public:
  explicit Lines(std::string_view text) : rest_(text) {}

  // Nothing: there is no whole line any more.
  std::optional<std::string_view> Next() {
    const size_t end = rest_.find('\n');
    if (end == std::string_view::npos) return std::nullopt;
    const std::string_view line = rest_.substr(0, end);
    rest_.remove_prefix(end + 1);
    return line;
  }

 private:
  std::string_view rest_;
};

// 0 where there is no number.
int64_t LeadingNumber(std::string_view text) {
  int64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

bool ParseTime(std::string_view line, PrintedBatch& batch) {
  constexpr std::string_view kHead = "Time: ";
  constexpr std::string_view kUnit = " ms";
  if (!line.starts_with(kHead) || !line.ends_with(kUnit)) return false;
  line = line.substr(kHead.size(), line.size() - kHead.size() - kUnit.size());
  batch.time_ms = LeadingNumber(line);
  return line == std::to_string(batch.time_ms);
}

// Nothing: it is not whole.
std::optional<PrintedBatch> ParseBatch(Lines& lines) {
  PrintedBatch batch;
  const auto first_rule = lines.Next();
  const auto time = lines.Next();
  const auto second_rule = lines.Next();
  EXPECT_EQ(first_rule.value_or(kRule), kRule);
  EXPECT_TRUE(!time || ParseTime(*time, batch)) << *time;
  EXPECT_EQ(second_rule.value_or(kRule), kRule);
  while (const auto line = lines.Next()) {
    if (line->empty()) return batch;
    EXPECT_FALSE(batch.has_more) << "after the dots: " << *line;
    batch.has_more = *line == "...";
    if (!batch.has_more) batch.records.emplace_back(*line);
  }
  return std::nullopt;
}

}  // namespace

std::vector<PrintedBatch> ParsePrinted(std::string_view output) {
  std::vector<PrintedBatch> batches;
  Lines lines(output);
  while (auto batch = ParseBatch(lines)) batches.push_back(*std::move(batch));
  return batches;
}

std::vector<std::string> AllRecords(std::string_view output) {
  std::vector<std::string> records;
  for (const PrintedBatch& batch : ParsePrinted(output)) {
    if (batch.has_more) continue;
    records.insert(records.end(), batch.records.begin(), batch.records.end());
  }
  return records;
}

bool SendUntilPrinted(Process& program, TcpPeer& peer, std::string_view bytes,
                      std::string_view part) {
  const std::string& output = program.text(Process::kOut);
  while (output.find(part) == output.npos) {
    const size_t batches = ParsePrinted(output).size();
    if (!peer.TrySend(bytes)) return false;
    const bool went_on = program.AwaitText(Process::kOut, [batches](const std::string& text) {
      return ParsePrinted(text).size() > batches;
    });
    if (!went_on) return false;
  }
  return true;
}

std::map<std::string, int64_t> SumCounts(std::string_view output) {
  std::map<std::string, int64_t> counts;
  for (const PrintedBatch& batch : ParsePrinted(output)) {
    for (const std::string& record : batch.records) {
      const size_t comma = record.rfind(',');
      const bool is_count =
          record.starts_with('(') && record.ends_with(')') && comma != std::string::npos;
      EXPECT_TRUE(is_count) << record;
      if (!is_count) continue;
      counts[record.substr(1, comma - 1)] +=
          LeadingNumber(std::string_view(record).substr(comma + 1));
    }
  }
  return counts;
}

}  // namespace millrace
