#include "common/config/master_url.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace millrace {
namespace {

using ::testing::HasSubstr;

MasterUrl Parsed(std::string_view url) {
  absl::StatusOr<MasterUrl> master = ParseMasterUrl(url);
  EXPECT_TRUE(master.ok()) << master.status();
  return master.value_or(MasterUrl());
}

TEST(ParseMasterUrlTest, KnowsTheLocalForms) {
  EXPECT_EQ(Parsed("local"), MasterUrl(LocalMaster{.threads = 1, .max_failures = 1}));
  EXPECT_EQ(Parsed("local[4]"), MasterUrl(LocalMaster{.threads = 4, .max_failures = 1}));
  EXPECT_EQ(Parsed("local[*]"), MasterUrl(LocalMaster{.threads = LocalMaster::kAllCores}));
  EXPECT_EQ(Parsed("local[4,3]"), MasterUrl(LocalMaster{.threads = 4, .max_failures = 3}));
  EXPECT_EQ(Parsed("local[*,2]"),
            MasterUrl(LocalMaster{.threads = LocalMaster::kAllCores, .max_failures = 2}));
}

TEST(ParseMasterUrlTest, KnowsClusters) {
  EXPECT_EQ(Parsed("local-cluster[2,4,1024]"),
            MasterUrl(LocalClusterMaster{
                .workers = 2, .cores_per_worker = 4, .memory_mb_per_worker = 1024}));
  EXPECT_EQ(Parsed("millrace://node-1:7077"), MasterUrl(ClusterMaster{{{"node-1", 7077}}}));
  EXPECT_EQ(Parsed("millrace://a:1,[::1]:2"), MasterUrl(ClusterMaster{{{"a", 1}, {"::1", 2}}}));
}

TEST(ParseMasterUrlTest, RefusesAnythingElseAndSaysWhatIsAllowed) {
  for (const char* url : {"",
                          "locall",
                          "Local",
                          "local[]",
                          "local[0]",
                          "local[-1]",
                          "local[2",
                          "local[2]x",
                          "local[2,]",
                          "local[2,0]",
                          "local[2,3,4]",
                          "local[1000000]",
                          "local-cluster",
                          "local-cluster[2,4]",
                          "local-cluster[0,1,1]",
                          "local-cluster[2,*,1]",
                          "millrace://",
                          "millrace://host",
                          "millrace://:7077",
                          "millrace://host:0",
                          "millrace://host:65536",
                          "millrace://a:1,",
                          "millrace://a:1,b",
                          "millrace://::1:7077",
                          "millrace://[]:1",
                          "millrace://a/b:1",
                          "spark://host:7077",
                          "yarn"}) {
    const absl::Status status = ParseMasterUrl(url).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << url;
    EXPECT_THAT(std::string(status.message()),
                HasSubstr("millrace.master: '" + std::string(url) + "' is not allowed"));
    EXPECT_THAT(std::string(status.message()), HasSubstr("write local, local[N]"));
  }
}

TEST(HostPortTest, AnAddressWithColonsGetsBrackets) {
  for (const char* text : {"host:7077", "127.0.0.1:1", "[::1]:7077"}) {
    EXPECT_EQ(ParseHostPort(text)->ToString(), text);
  }
  EXPECT_EQ((HostPort{"::", 0}.ToString()), "[::]:0");
}

}  // namespace
}  // namespace millrace
