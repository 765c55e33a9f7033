// What Print writes, read back.
#ifndef MILLRACE_TESTS_SUPPORT_PRINTED_BATCHES_H_
#define MILLRACE_TESTS_SUPPORT_PRINTED_BATCHES_H_

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "tests/support/process.h"
#include "tests/support/tcp_server.h"

namespace millrace {

struct PrintedBatch {
  int64_t time_ms = 0;
  std::vector<std::string> records;  // None of which is empty.
  bool has_more = false;
};

// The whole batches that `output` begins with; what follows must be the beginning of one. The test
// fails where a byte is not as documented.
std::vector<PrintedBatch> ParsePrinted(std::string_view output);

// Their records in order, without those of batches that say there are more.
std::vector<std::string> AllRecords(std::string_view output);

// Sends `bytes` batch after batch until the program prints `part`: for what a batch takes only
// together with something that may come a moment later. False when it does not.
bool SendUntilPrinted(Process& program, TcpPeer& peer, std::string_view bytes,
                      std::string_view part);

// "(word,3)" in any of the batches adds 3 to the word's count.
std::map<std::string, int64_t> SumCounts(std::string_view output);

}  // namespace millrace

#endif  // MILLRACE_TESTS_SUPPORT_PRINTED_BATCHES_H_
