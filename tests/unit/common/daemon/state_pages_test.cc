#include "common/daemon/state_pages.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/env/real_env.h"
#include "tests/support/fake_env.h"
#include "tests/support/memory_file_system.h"

namespace millrace {
namespace {

using ::testing::EndsWith;
using ::testing::StartsWith;

// The whole answer.
std::string Get(int port, const std::string& path) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  EXPECT_EQ(::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  const std::string request = "GET " + path + " HTTP/1.1\r\nConnection: close\r\n\r\n";
  EXPECT_EQ(::send(fd, request.data(), request.size(), 0), static_cast<ssize_t>(request.size()));
  std::string answer;
  char bytes[4096];
  for (ssize_t size = 0; (size = ::read(fd, bytes, sizeof(bytes))) > 0;) {
    answer.append(bytes, static_cast<size_t>(size));
  }
  ::close(fd);
  return answer;
}

TEST(StatePagesTest, SayWhatTheCoreSays) {
  MemoryFileSystem fs;
  RealEnv env({}, fs);
  HttpServer http;
  StatePages<int> pages(http, env, [] { return 7; });
  pages.Add("/state", "text/plain", [](const int& state) { return std::to_string(state) + "\n"; });
  const auto port = http.Start("127.0.0.1", 0);
  ASSERT_TRUE(port.ok()) << port.status();
  EXPECT_THAT(Get(*port, "/state"), EndsWith("\r\n\r\n7\n"));
  http.Stop();
  env.Stop();
}

TEST(StatePagesTest, ACoreThatDoesNotAnswerIsNotWaitedForForEver) {
  MemoryFileSystem fs;
  FakeEnv env(fs);  // Whose loop does not run.
  HttpServer http;
  StatePages<int> pages(
      http, env, [] { return 7; }, std::chrono::milliseconds(1));
  pages.Add("/healthz", "text/plain", [](const int&) { return "ok\n"; });
  const auto port = http.Start("127.0.0.1", 0);
  ASSERT_TRUE(port.ok()) << port.status();
  EXPECT_THAT(Get(*port, "/healthz"), StartsWith("HTTP/1.1 503"));
  http.Stop();
}

}  // namespace
}  // namespace millrace
