// Saves where something stands already: save_again DIRECTORY
//   DIRECTORY/batch         by a Context, twice: the second time is an error
//   DIRECTORY/latest        by each of three batches: the last one stays
//   DIRECTORY/stream-TIME   by a batch whose directory stands there already, as from a run before
#include <millrace/millrace.h>

#include <cstdio>
#include <filesystem>
#include <fstream>

using namespace std::chrono_literals;

namespace {

absl::Status LeaveOldOutput(const std::string& directory) {
  std::filesystem::create_directories(directory);
  std::ofstream(directory + "/part-00099") << "old\n";
  return std::filesystem::exists(directory + "/part-00099")
             ? absl::OkStatus()
             : absl::UnavailableError("cannot write to " + directory);
}

}  // namespace

int main(int argc, char** argv) {
  millrace::Init(&argc, &argv);
  if (argc != 2) return 2;
  const std::string directory = argv[1];
  millrace::StreamingContext ssc(millrace::Conf().SetAppName("SaveAgain"), 100ms);

  auto one = ssc.context().Parallelize(std::vector<std::string>{"one"}, 1);
  auto two = ssc.context().Parallelize(std::vector<std::string>{"two"}, 1);
  std::printf("%s\n", one.SaveAsTextFile(directory + "/batch").ToString().c_str());
  std::printf("%s\n", two.SaveAsTextFile(directory + "/batch").ToString().c_str());
  std::fflush(stdout);

  std::deque<millrace::RDD<std::string>> queue{one, two, one};
  auto stream = ssc.QueueStream(queue);
  stream.ForeachRDD(
      [directory](const millrace::RDD<std::string>& rdd, millrace::Time time) -> absl::Status {
        auto count = rdd.Count();
        if (!count.ok() || *count == 0) return count.status();
        absl::Status old = LeaveOldOutput(directory + "/stream-" + std::to_string(time.ms()));
        if (!old.ok()) return old;
        return rdd.SaveAsTextFile(directory + "/latest");
      });
  stream.Filter([](std::string_view) { return true; }).SaveAsTextFiles(directory + "/stream");
  stream.ForeachRDD([&ssc, batches = 0](const millrace::RDD<std::string>&) mutable {
    if (++batches == 3) ssc.Stop({.graceful = true});
  });
  return ssc.Run();
}
