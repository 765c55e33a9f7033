// A small server of pages that are read.
#ifndef MILLRACE_COMMON_HTTP_HTTP_SERVER_H_
#define MILLRACE_COMMON_HTTP_HTTP_SERVER_H_

#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"

namespace millrace {

// Threads: one; handlers run on the server's own threads, several at a time.
class HttpServer {
 public:
  struct Reply {
    int status = 200;
    std::string content_type = "text/plain; charset=utf-8";
    std::string body = "";
  };

  HttpServer();
  ~HttpServer();  // Stops.

  // GET of exactly this path. Before Start.
  void Handle(const std::string& path, std::function<Reply()> handler);

  // Port 0 picks one. The port on which it serves; Unavailable: it is taken.
  absl::StatusOr<int> Start(const std::string& host, int port);

  // Waits for requests that are being answered. More calls do nothing more.
  void Stop();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// Text as it may stand in HTML.
std::string EscapeHtml(const std::string& text);

}  // namespace millrace

#endif  // MILLRACE_COMMON_HTTP_HTTP_SERVER_H_
