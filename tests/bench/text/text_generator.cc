#include "tests/bench/text/text_generator.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "tests/bench/plain/files.h"
#include "tests/bench/text/random.h"

namespace millrace::bench {
namespace {

// Part of the file's name: raise it with every change of the text.
constexpr int kTextVersion = 1;
// A line is closed by the word that reaches this length; words and line end make it 100 on average.
constexpr size_t kLineFullBytes = 96;

std::vector<std::string> MakeWords() {
  Random random(0x5eed);
  std::vector<std::string> words;
  words.reserve(kTextWords);
  absl::flat_hash_set<std::string> seen;
  while (words.size() < kTextWords) {
    // Longer with the logarithm of the rank, as in natural languages.
    const size_t length = 2 + random.Below(6) +
                          static_cast<size_t>(std::log10(static_cast<double>(words.size()) + 1));
    std::string word;
    for (size_t i = 0; i < length; ++i) word += static_cast<char>('a' + random.Below(26));
    if (seen.insert(word).second) words.push_back(std::move(word));
  }
  return words;
}

// Draws ranks by Zipf's law in constant time (Walker's alias method).
class ZipfTable {
 public:
  explicit ZipfTable(int ranks) : cells_(static_cast<size_t>(ranks)) {
    const size_t n = cells_.size();
    double total = 0;
    for (size_t i = 0; i < n; ++i) total += 1.0 / static_cast<double>(i + 1);
    std::vector<double> share(n);  // 1 is the average.
    std::vector<uint32_t> poor, rich;
    for (size_t i = 0; i < n; ++i) {
      share[i] = static_cast<double>(n) / static_cast<double>(i + 1) / total;
      (share[i] < 1 ? poor : rich).push_back(static_cast<uint32_t>(i));
    }
    while (!poor.empty() && !rich.empty()) {
      const uint32_t low = poor.back();
      const uint32_t high = rich.back();
      poor.pop_back();
      cells_[low] = {Threshold(share[low]), high};
      share[high] -= 1 - share[low];
      if (share[high] < 1) {
        rich.pop_back();
        poor.push_back(high);
      }
    }
    for (const uint32_t i : poor) cells_[i] = {~uint32_t{0}, i};
    for (const uint32_t i : rich) cells_[i] = {~uint32_t{0}, i};
  }

  uint32_t Draw(Random& random) const {
    const uint64_t bits = random.Next();
    const auto cell = static_cast<uint32_t>(((bits >> 32) * cells_.size()) >> 32);
    return static_cast<uint32_t>(bits) <= cells_[cell].keep_below ? cell : cells_[cell].alias;
  }

 private:
  struct Cell {
    uint32_t keep_below;
    uint32_t alias;
  };
  static uint32_t Threshold(double share) { return static_cast<uint32_t>(share * 0xffffffffp0); }

  std::vector<Cell> cells_;
};

class TextStream {
 public:
  explicit TextStream(uint64_t seed) : words_(MakeWords()), zipf_(kTextWords), random_(seed) {}

  void AppendLine(std::string& text) {
    const size_t start = text.size();
    while (true) {
      text += words_[zipf_.Draw(random_)];
      if (text.size() - start >= kLineFullBytes) break;
      text += ' ';
    }
    text += '\n';
  }

 private:
  const std::vector<std::string> words_;
  const ZipfTable zipf_;
  Random random_;
};

absl::Status WriteText(const std::string& path, int64_t bytes) {
  std::FILE* const file = std::fopen(path.c_str(), "wb");
  if (file == nullptr) return absl::ErrnoToStatus(errno, absl::StrCat("cannot write ", path));
  TextStream stream(/*seed=*/1);
  std::string part;
  bool written = true;
  for (int64_t total = 0; total < bytes && written; total += static_cast<int64_t>(part.size())) {
    part.clear();
    while (part.size() < (size_t{1} << 20) && total + static_cast<int64_t>(part.size()) < bytes) {
      stream.AppendLine(part);
    }
    written = std::fwrite(part.data(), 1, part.size(), file) == part.size();
  }
  const int error = errno;
  if (std::fclose(file) == 0 && written) return absl::OkStatus();
  return absl::ErrnoToStatus(written ? errno : error, absl::StrCat("cannot write ", path));
}

}  // namespace

std::string GenerateText(int64_t bytes, uint64_t seed) {
  TextStream stream(seed);
  std::string text;
  text.reserve(static_cast<size_t>(bytes) + 128);
  while (static_cast<int64_t>(text.size()) < bytes) stream.AppendLine(text);
  return text;
}

absl::StatusOr<std::string> TextFile(const std::string& directory, int64_t bytes) {
  return FileWrittenOnce(directory, absl::StrCat("text-v", kTextVersion, "-", bytes, ".txt"),
                         [bytes](const std::string& path) { return WriteText(path, bytes); });
}

}  // namespace millrace::bench
