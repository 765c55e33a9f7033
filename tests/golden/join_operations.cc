#include "tests/golden/functions.h"
#include "tests/golden/operations.h"

namespace millrace::golden {

void AddJoinOperations(Operations& operations) {
  using In = const DStream<TextInt>&;
  operations.Add<TextInt>("Join", [](In in, Arguments& args) {
    const auto other = args.NextStreamOf<TextText>();
    return in.Join(other, args.NumberOr0());
  });
  operations.Add<TextInt>("JoinNumbers", [](In in, Arguments& args) {
    const auto other = args.NextStreamOf<TextInt>();
    return in.Join(other, args.NumberOr0());
  });
  operations.Add<TextInt>("LeftOuterJoin", [](In in, Arguments& args) {
    const auto other = args.NextStreamOf<TextText>();
    return in.LeftOuterJoin(other, args.NumberOr0());
  });
  operations.Add<TextInt>("RightOuterJoin", [](In in, Arguments& args) {
    const auto other = args.NextStreamOf<TextText>();
    return in.RightOuterJoin(other, args.NumberOr0());
  });
  operations.Add<TextInt>("FullOuterJoin", [](In in, Arguments& args) {
    const auto other = args.NextStreamOf<TextText>();
    return in.FullOuterJoin(other, args.NumberOr0());
  });
  operations.Add<TextInt>("Join halves_of_alphabet", [](In in, Arguments& args) {
    return in.Join(args.NextStreamOf<TextText>(), HalvesOfAlphabet());
  });
  operations.Add<TextInt>("CoGroup", [](In in, Arguments& args) {
    const auto other = args.NextStreamOf<TextText>();
    return in.CoGroup(other, args.NumberOr0());
  });
  operations.Add<TextInt>("CoGroup3", [](In in, Arguments& args) {
    const auto second = args.NextStreamOf<TextText>();
    const auto third = args.NextStreamOf<TextInt>();
    return in.CoGroup(second, third);
  });
  operations.Add<TextInt>("CoGroup4", [](In in, Arguments& args) {
    const auto second = args.NextStreamOf<TextText>();
    const auto third = args.NextStreamOf<TextInt>();
    const auto fourth = args.NextStreamOf<TextText>();
    return in.CoGroup(second, third, fourth);
  });
  operations.Add<TextInt>("CoGroup5", [](In in, Arguments& args) {
    const auto second = args.NextStreamOf<TextText>();
    const auto third = args.NextStreamOf<TextInt>();
    const auto fourth = args.NextStreamOf<TextText>();
    const auto fifth = args.NextStreamOf<TextInt>();
    return in.CoGroup(second, third, fourth, fifth);
  });
}

}  // namespace millrace::golden
