// The masters of one machine, and two streaming runs in one process.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <string>

#include "tests/integration/commands.h"
#include "tests/support/printed_batches.h"
#include "tests/support/process.h"
#include "tests/support/tcp_server.h"

namespace millrace {
namespace {

class MastersTest : public ::testing::TestWithParam<std::string> {};

// Its receivers take no task thread, so one is enough.
TEST_P(MastersTest, RunsAStreamWithTwoReceivers) {
  TcpServer orders_server;
  TcpServer payments_server;
  Process program(
      Example("join_streams", {"localhost", orders_server.port_text(), payments_server.port_text(),
                               Setting("master=" + GetParam())}));
  TcpPeer orders = orders_server.Accept();
  TcpPeer payments = payments_server.Accept();
  orders.Send("17 book\n");
  EXPECT_TRUE(SendUntilPrinted(program, payments, "17 12.50\n", "(17,(book,12.50))\n"))
      << program.Describe();
  program.Signal(SIGTERM);
  EXPECT_EQ(program.AwaitExit(), 0) << program.Describe();
}

INSTANTIATE_TEST_SUITE_P(Local, MastersTest,
                         ::testing::Values("local", "local[1]", "local[4]", "local[*]",
                                           "local-cluster[1,1,256]", "local-cluster[2,1,256]"),
                         [](const auto& info) { return "master_" + std::to_string(info.index); });

TEST(TwoContextsTest, RunOneAfterTheOther) {
  TcpServer first;
  TcpServer second;
  Process program(Program("two_contexts", {first.port_text(), second.port_text()}));
  TcpPeer peer = first.Accept();
  peer.Send("a\nb\nend\n");
  EXPECT_EQ(program.NextLine(Process::kOut), "2 lines from port " + first.port_text());
  TcpPeer next = second.Accept();
  next.Send("c\nend\n");
  EXPECT_EQ(program.NextLine(Process::kOut), "1 lines from port " + second.port_text());
  EXPECT_EQ(program.AwaitExit(), 0) << program.Describe();
}

TEST(TwoContextsTest, ASignalStopsTheSecondGracefullyToo) {
  TcpServer first;
  TcpServer second;
  Process program(Program("two_contexts", {first.port_text(), second.port_text()}));
  TcpPeer peer = first.Accept();
  peer.Send("end\n");
  TcpPeer next = second.Accept();
  next.Send("c\n");
  next.AwaitRead();
  program.Signal(SIGTERM);
  EXPECT_EQ(program.AwaitExit(), 0) << program.Describe();
}

}  // namespace
}  // namespace millrace
