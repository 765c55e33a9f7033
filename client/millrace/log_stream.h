// Streams of a partitioned log of plain files: a source that can be read again, without a broker.
//
//   auto records = millrace::LogStream(ssc, "/data/clicks");
//
// and elsewhere a millrace::LogWriter (<millrace/log_writer.h>) for each partition.
#ifndef MILLRACE_CLIENT_MILLRACE_LOG_STREAM_H_
#define MILLRACE_CLIENT_MILLRACE_LOG_STREAM_H_

#include <millrace/offset_ranges.h>
#include <millrace/streaming_context.h>

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace millrace {

// Where the partitions of a log begin to be read.
enum class LogStart {
  kEarliest,  // At the first record of each partition.
  kLatest,    // Behind the last record that there is when the context starts.
};

// What LogStream reads.
struct LogStreamOptions {
  // Where partitions begin that are there when the context starts. Later ones begin at their first
  // record.
  LogStart start = LogStart::kEarliest;
  // Of single partitions: the first offset to read, such as where results that were saved with
  // their offset ranges end. A partition that has no such offset yet fails its batches.
  std::map<int, int64_t> start_offsets = {};
};

// The records of the log in `directory`, which all workers see. Each batch has what was appended
// since the one before, as one partition for each partition of the log, in their order and with the
// order of records kept; partitions that are added are picked up. The log's records never change,
// so a task that is run again, and a data set that is computed again, have the same.
//
// No receiver, and no task slot but while the batch runs. HasOffsetRanges tells what a batch has;
// BatchInfo shows it as the input's metadata, "offsets".
//
// How much a batch takes of a partition at most: millrace.streaming.log.maxRatePerPartition records
// a second; with backpressure, its share by lag of the stream's rate (before the first estimate
// millrace.streaming.backpressure.initialRate); but never less than
// millrace.streaming.log.minRatePerPartition records, if there are so many.
//
// Errors: from Start when the directory cannot be listed. A batch fails, and its records come with
// the next one that does not, when a file that was read is gone or shorter, or when records cannot
// be counted for corruption; a task that finds a corrupt record fails with the file and the offset.
// A record that is only half there at the end of a file is not yet there.
DStream<std::string_view> LogStream(
    StreamingContext& ssc, const std::string& directory, LogStreamOptions options = {},
    StreamingContext::Location at = StreamingContext::Location::Current());

}  // namespace millrace

#endif  // MILLRACE_CLIENT_MILLRACE_LOG_STREAM_H_
