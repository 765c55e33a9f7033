#include <stdexcept>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "tests/golden/functions.h"
#include "tests/golden/operations.h"

namespace millrace::golden {
namespace {

void AddOfOneStream(Operations& operations) {
  operations.Add<Int>("Transform double", [](const DStream<Int>& in, Arguments&) {
    return in.Transform([](const RDD<Int>& rdd) { return rdd.Map(Double()); });
  });
  // The batch's time in milliseconds is added to each record.
  operations.Add<Int>("Transform add_time", [](const DStream<Int>& in, Arguments&) {
    return in.Transform([](const RDD<Int>& rdd, Time time) {
      return rdd.Map(BindFront(std::plus<Int>(), Int{time.ms()}));
    });
  });
  operations.Add<Int>("Transform sorted", [](const DStream<Int>& in, Arguments&) {
    return in.Transform([](const RDD<Int>& rdd) { return rdd.SortBy([](Int x) { return x; }); });
  });
  operations.Add<Int>("Transform distinct", [](const DStream<Int>& in, Arguments&) {
    return in.Transform([](const RDD<Int>& rdd) { return rdd.Distinct(); });
  });
  // With a data set that is the same in each batch.
  operations.Add<TextInt>("Transform join_with", [](const DStream<TextInt>& in, Arguments& args) {
    return in.Transform([known = args.NextDataSetOf<TextText>()](const RDD<TextInt>& rdd) {
      return rdd.Join(known);
    });
  });
  operations.Add<TextInt>("Transform without", [](const DStream<TextInt>& in, Arguments& args) {
    return in.Transform([known = args.NextDataSetOf<TextText>()](const RDD<TextInt>& rdd) {
      return rdd.SubtractByKey(known);
    });
  });
}

// What goes wrong at one time and at no other.
void AddFailing(Operations& operations) {
  operations.Add<Int>("Transform no_data_set_at", [](const DStream<Int>& in, Arguments& args) {
    return in.Transform([at = Time(0) + args.NextDuration()](const RDD<Int>& rdd, Time time) {
      return time == at ? RDD<Int>() : rdd;
    });
  });
  operations.Add<Int>("Transform error_at", [](const DStream<Int>& in, Arguments& args) {
    return in.Transform([at = Time(0) + args.NextDuration()](
                            const RDD<Int>& rdd, Time time) -> absl::StatusOr<RDD<Int>> {
      if (time == at) return absl::UnavailableError("the table is away");
      return rdd;
    });
  });
  operations.Add<Int>("Transform throw_at", [](const DStream<Int>& in, Arguments& args) {
    return in.Transform([at = Time(0) + args.NextDuration()](const RDD<Int>& rdd, Time time) {
      if (time == at) throw std::runtime_error("no such table");
      return rdd;
    });
  });
}

void AddOfSeveralStreams(Operations& operations) {
  operations.Add<Int>("TransformWith union", [](const DStream<Int>& in, Arguments& args) {
    return in.TransformWith(
        args.NextStreamOf<Int>(),
        [](const RDD<Int>& left, const RDD<Int>& right) { return left.Union(right); });
  });
  // The left one at even seconds, the right one at odd ones.
  operations.Add<Int>("TransformWith alternate", [](const DStream<Int>& in, Arguments& args) {
    return in.TransformWith(args.NextStreamOf<Int>(),
                            [](const RDD<Int>& left, const RDD<Int>& right, Time time) {
                              return time.IsMultipleOf(std::chrono::seconds(2)) ? left : right;
                            });
  });
  operations.Add<Int>("TransformWith intersection", [](const DStream<Int>& in, Arguments& args) {
    return in.TransformWith(
        args.NextStreamOf<Int>(),
        [](const RDD<Int>& left, const RDD<Int>& right) { return left.Intersection(right); });
  });
  // StreamingContext::Transform of three
  operations.Add<Int>("TransformAll union", [](const DStream<Int>& in, Arguments& args) {
    const DStream<Int> second = args.NextStreamOf<Int>();
    const DStream<Int> third = args.NextStreamOf<Int>();
    return args.context().Transform(
        [](const RDD<Int>& a, const RDD<Int>& b, const RDD<Int>& c) { return a.Union(b).Union(c); },
        in, second, third);
  });
}

}  // namespace

void AddTransformOperations(Operations& operations) {
  AddOfOneStream(operations);
  AddFailing(operations);
  AddOfSeveralStreams(operations);
}

}  // namespace millrace::golden
