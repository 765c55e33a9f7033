// Where an application is to run, and addresses of peers.
#include "common/config/master_url.h"

#include <string>
#include <string_view>
#include <variant>

#include "glog/logging.h"
#include "tests/fuzz/fuzz_target.h"

namespace millrace::internal {
namespace {

void CheckHostPort(const HostPort& address) {
  CHECK(!address.host.empty());
  CHECK(address.port >= 1 && address.port <= 65535);
  const auto again = ParseHostPort(address.ToString());
  CHECK(again.ok()) << again.status();
  CHECK(*again == address);
}

bool Run(std::string_view bytes) {
  const auto address = ParseHostPort(bytes);
  if (address.ok()) CheckHostPort(*address);
  const auto url = ParseMasterUrl(bytes);
  if (!url.ok()) return false;
  if (const auto* const local = std::get_if<LocalMaster>(&*url)) {
    CHECK(local->threads >= 0 && local->max_failures >= 1);
  } else if (const auto* const workers = std::get_if<LocalClusterMaster>(&*url)) {
    CHECK(workers->workers >= 1 && workers->cores_per_worker >= 1);
    CHECK(workers->memory_mb_per_worker >= 1 && workers->memory_mb_per_worker <= INT64_MAX >> 20);
  } else {
    for (const HostPort& daemon : std::get<ClusterMaster>(*url).daemons) CheckHostPort(daemon);
  }
  return true;
}

FuzzSeeds Seeds() {
  return {{"local", "local"},
          {"threads", "local[4]"},
          {"cores", "local[*,3]"},
          {"local-cluster", "local-cluster[2,1,1024]"},
          {"daemon", "millrace://driver.example:7077"},
          {"daemons", "millrace://a:1,b:65535,[::1]:7077"}};
}

const FuzzTarget target("master_url", Run, Seeds);

}  // namespace
}  // namespace millrace::internal
