// `LogWriter`: writing a partitioned log, for programs that need nothing else of Millrace.
#ifndef MILLRACE_CLIENT_MILLRACE_LOG_WRITER_H_
#define MILLRACE_CLIENT_MILLRACE_LOG_WRITER_H_

#include "common/partition_log/log_writer.h"

#endif  // MILLRACE_CLIENT_MILLRACE_LOG_WRITER_H_
