// Pages about what a daemon's core says of itself.
#ifndef MILLRACE_COMMON_DAEMON_STATE_PAGES_H_
#define MILLRACE_COMMON_DAEMON_STATE_PAGES_H_

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "common/concurrent/one_shot.h"
#include "common/env/env.h"
#include "common/http/http_server.h"

namespace millrace {

inline constexpr char kTextType[] = "text/plain; charset=utf-8";
inline constexpr char kMetricsType[] = "text/plain; version=0.0.4; charset=utf-8";

// The core is asked on its event loop, for every page anew. A page that it does not answer in time
// has the status 503, so that whoever watches /healthz sees it.
//
// Threads: one, before the server starts.
template <class State>
class StatePages {
 public:
  // `state` is called on the event loop. All outlive the server.
  StatePages(HttpServer& http, Env& env, std::function<State()> state,
             std::chrono::milliseconds timeout = std::chrono::seconds(5))
      : http_(http), env_(env), state_(std::move(state)), timeout_(timeout) {}

  // GET of exactly this path. `body` is called on the server's threads.
  void Add(const std::string& path, const std::string& content_type,
           std::function<std::string(const State&)> body) {
    http_.Handle(path,
                 [&env = env_, state = state_, timeout = timeout_, content_type,
                  body = std::move(body)]() -> HttpServer::Reply {
                   // Shared with the event loop, which may answer when nobody waits any more.
                   const auto answer = std::make_shared<OneShot<State>>();
                   env.Post([answer, state] { answer->Set(state()); });
                   const State* const now = answer->WaitFor(timeout);
                   if (now == nullptr)
                     return {.status = 503, .body = "the event loop does not answer\n"};
                   return {.content_type = content_type, .body = body(*now)};
                 });
  }

 private:
  HttpServer& http_;
  Env& env_;
  const std::function<State()> state_;
  const std::chrono::milliseconds timeout_;
};

}  // namespace millrace

#endif  // MILLRACE_COMMON_DAEMON_STATE_PAGES_H_
