#include "tests/bench/plain/word_count.h"

#include <algorithm>
#include <cstring>

#include "tests/bench/plain/files.h"

namespace millrace::bench {
namespace {

constexpr size_t kReadBytes = size_t{1} << 20;

void CountOne(std::string_view word, WordViewCounts& counts) { ++counts[word]; }
void CountOne(std::string_view word, WordCounts& counts) {
  // The key is made for a new word only.
  const auto found = counts.find(absl::string_view(word.data(), word.size()));
  if (found != counts.end()) {
    ++found->second;
  } else {
    counts.emplace(word, 1);
  }
}

// The next `delimiter`, or `end`. memchr looks at 16 bytes or more at a time: with it the loops
// below take two thirds of the time of loops that look at each character.
const char* Find(const char* p, const char* end, char delimiter) {
  const void* const found = std::memchr(p, delimiter, static_cast<size_t>(end - p));
  return found == nullptr ? end : static_cast<const char*>(found);
}

// Counts the words that end in `text`; returns what is behind the last of them.
template <class Counts>
std::string_view CountEndedWords(std::string_view text, Counts& counts) {
  const char* word = text.data();
  const char* const end = word + text.size();
  while (word != end) {
    const char* const line_end = Find(word, end, '\n');
    while (true) {
      const char* const word_end = Find(word, line_end, ' ');
      if (word_end == end) return {word, static_cast<size_t>(end - word)};
      CountOne(std::string_view(word, static_cast<size_t>(word_end - word)), counts);
      word = word_end + 1;
      if (word_end == line_end) break;
    }
  }
  return {};
}

template <class Counts>
WordTotals TotalsOf(const Counts& counts) {
  WordTotals totals;
  for (const auto& [word, count] : counts) totals.Add(word, count);
  return totals;
}

}  // namespace

void WordTotals::Add(std::string_view word, int64_t count) {
  uint64_t hash = 0xcbf29ce484222325u;  // FNV-1a
  for (const char c : word) hash = (hash ^ static_cast<uint8_t>(c)) * 0x100000001b3u;
  words += count;
  ++distinct;
  checksum += hash * static_cast<uint64_t>(count);
}

void CountWords(std::string_view text, WordViewCounts& counts) {
  const std::string_view rest = CountEndedWords(text, counts);
  if (!rest.empty()) CountOne(rest, counts);
}

void StreamWordCounter::Add(std::string_view piece) {
  if (!cut_word_.empty()) {
    const size_t size = std::min(piece.find_first_of(" \n"), piece.size());
    cut_word_.append(piece.data(), size);
    if (size == piece.size()) return;
    CountOne(cut_word_, counts_);
    cut_word_.clear();
    piece.remove_prefix(size + 1);
  }
  cut_word_ = CountEndedWords(piece, counts_);
}

void StreamWordCounter::Finish() {
  if (!cut_word_.empty()) CountOne(cut_word_, counts_);
  cut_word_.clear();
}

WordTotals StreamWordCounter::Totals() const { return TotalsOf(counts_); }

absl::StatusOr<WordTotals> CountWordsMapped(const std::string& path) {
  const absl::StatusOr<MappedFile> file = MappedFile::Open(path);
  if (!file.ok()) return file.status();
  WordViewCounts counts;
  CountWords(file->bytes(), counts);
  return TotalsOf(counts);
}

absl::StatusOr<WordTotals> CountWordsRead(const std::string& path) {
  StreamWordCounter counter;
  const absl::Status read =
      ReadFile(path, kReadBytes, [&](std::string_view piece) { counter.Add(piece); });
  if (!read.ok()) return read;
  counter.Finish();
  return counter.Totals();
}

}  // namespace millrace::bench
