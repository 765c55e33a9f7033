// Text files as data sets of lines.
#ifndef MILLRACE_CLIENT_RDD_TEXT_FILE_H_
#define MILLRACE_CLIENT_RDD_TEXT_FILE_H_

#include <string>

#include "client/rdd/rdd_base.h"

namespace millrace::internal {

RddRef MakeTextFileNode(const ContextRef& context, const std::string& path, int min_partitions,
                        const RecordTypeOperators& type, Location where);

// The lines of a file, of the files in a directory (but those whose names begin with `.` or `_`),
// or of all that a path with wildcards matches (see ExpandGlob), in the order of names. Files are
// cut into at least `min_partitions` pieces of about the same size, where they have that many
// bytes; 0: the context's default. What cannot be read fails the action that asks for it.
//
// `Line` is std::string_view; a parameter, for RDD is not complete here.
template <class Line>
RDD<Line> MakeTextFile(const ContextRef& context, const std::string& path, int min_partitions,
                       Location where) {
  return RDD<Line>(context,
                   MakeTextFileNode(context, path, min_partitions, RecordOperators<Line>(), where));
}

}  // namespace millrace::internal

#endif  // MILLRACE_CLIENT_RDD_TEXT_FILE_H_
