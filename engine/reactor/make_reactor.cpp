#include <cerrno>
#include <cstring>
#include <string>

#include "reactor/epoll_reactor.h"
#include "reactor/reactor.h"
#include "reactor/uring_reactor.h"

namespace quorate::reactor {

namespace {

std::string explain(int error) {
  std::string text = std::strerror(error);
  if (error == EPERM) text += ": kernel.io_uring_disabled or a seccomp profile";
  if (error == ENOSYS) text += ": not in this kernel (5.13 is needed), or a seccomp profile";
  if (error == ENOMEM) text += ": RLIMIT_MEMLOCK";
  return text;
}

}  // namespace

Result<std::unique_ptr<Reactor>> UringReactor::sibling() {
  std::string why;
  return make_reactor(Backend::io_uring, why);
}

Result<std::unique_ptr<Reactor>> EpollReactor::sibling() {
  std::string why;
  return make_reactor(Backend::epoll, why);
}

Result<std::unique_ptr<Reactor>> make_reactor(Backend backend, std::string& why) {
  if (backend != Backend::epoll) {
    int error = 0;
    if (auto reactor = UringReactor::create(error)) {
      why = "io_uring";
      return std::unique_ptr<Reactor>(std::move(reactor));
    }
    if (backend == Backend::io_uring) {
      return Error(Errc::unsupported,
                   "backend: io_uring cannot be had here (" + explain(error) + "); use epoll",
                   error);
    }
    why = "epoll, because io_uring cannot be had here (" + explain(error) + ")";
  } else {
    why = "epoll, as asked";
  }
  int error = 0;
  auto reactor = EpollReactor::create(error);
  if (!reactor) return Error(Errc::io, std::string("epoll: ") + std::strerror(error), error);
  return std::unique_ptr<Reactor>(std::move(reactor));
}

}  // namespace quorate::reactor
