#include "common/http/http_server.h"

#include <httplib.h>

#include <atomic>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "common/concurrent/named_thread.h"

namespace millrace {

namespace {

constexpr size_t kThreads = 2;
constexpr int kTimeoutSeconds = 5;
constexpr size_t kRequestBytesMax = 64 << 10;

}  // namespace

struct HttpServer::Impl {
  httplib::Server server;
  std::thread thread;
  std::atomic<bool> has_ended{false};
};

HttpServer::HttpServer() : impl_(std::make_unique<Impl>()) {
  httplib::Server& server = impl_->server;
  // The library's own choice would be eight threads or more.
  server.new_task_queue = [] { return new httplib::ThreadPool(kThreads); };
  server.set_read_timeout(kTimeoutSeconds);
  server.set_write_timeout(kTimeoutSeconds);
  server.set_keep_alive_timeout(1);
  server.set_payload_max_length(kRequestBytesMax);
}

HttpServer::~HttpServer() { Stop(); }

void HttpServer::Handle(const std::string& path, std::function<Reply()> handler) {
  impl_->server.Get(
      path, [handler = std::move(handler)](const httplib::Request&, httplib::Response& response) {
        const Reply reply = handler();
        response.status = reply.status;
        response.set_content(reply.body, reply.content_type);
      });
}

absl::StatusOr<int> HttpServer::Start(const std::string& host, int port) {
  const int bound = port == 0 ? impl_->server.bind_to_any_port(host)
                              : (impl_->server.bind_to_port(host, port) ? port : -1);
  if (bound <= 0) {
    return absl::UnavailableError(absl::StrCat("cannot listen on ", host, ":", port,
                                               " for HTTP: is the port taken? --http_port=0 picks "
                                               "a free one"));
  }
  impl_->thread = StartThread("http", [this] {
    impl_->server.listen_after_bind();
    impl_->has_ended = true;
  });
  return bound;
}

void HttpServer::Stop() {
  if (!impl_->thread.joinable()) return;
  // A stop would be lost on a server that does not listen yet.
  while (!impl_->server.is_running() && !impl_->has_ended) std::this_thread::yield();
  impl_->server.stop();
  impl_->thread.join();
}

std::string EscapeHtml(const std::string& text) {
  return absl::StrReplaceAll(
      text, {{"&", "&amp;"}, {"<", "&lt;"}, {">", "&gt;"}, {"\"", "&quot;"}, {"'", "&#39;"}});
}

}  // namespace millrace
