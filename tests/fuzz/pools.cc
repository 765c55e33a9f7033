// The file that describes the pools of FAIR scheduling.
#include <string>
#include <string_view>

#include "driver/task/pool_file.h"
#include "glog/logging.h"
#include "tests/fuzz/fuzz_target.h"

namespace millrace::internal {
namespace {

bool Run(std::string_view bytes) {
  const auto pools = ParsePools(bytes);
  if (!pools.ok()) {
    CHECK(std::string(pools.status().message()).starts_with("line ")) << pools.status();
    return false;
  }
  for (const auto& [name, pool] : *pools) {
    CHECK_GE(pool.weight, 1) << name;
    CHECK_GE(pool.min_share, 0) << name;
  }
  return true;
}

FuzzSeeds Seeds() {
  return {{"empty", "<allocations/>"},
          {"defaults", "<allocations><pool name=\"batches\"/></allocations>"},
          {"all",
           "<?xml version=\"1.0\"?>\n<!-- of a dashboard -->\n<allocations>\n"
           "  <pool name=\"dashboards\">\n    <schedulingMode>FAIR</schedulingMode>\n"
           "    <weight>2</weight>\n    <minShare> 3 </minShare>\n  </pool>\n"
           "  <pool name='a &amp; b'><schedulingMode>FIFO</schedulingMode></pool>\n"
           "</allocations>\n"}};
}

const FuzzTarget target("pools", Run, Seeds);

}  // namespace
}  // namespace millrace::internal
