#include "shard/poll_descriptor.h"

#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

namespace quorate::shard {

namespace {

bool watch(int set_fd, int fd) noexcept {
  epoll_event event{};
  event.events = EPOLLIN;
  return epoll_ctl(set_fd, EPOLL_CTL_ADD, fd, &event) == 0;
}

}  // namespace

PollDescriptor::PollDescriptor(int reactor_fd) noexcept
    : set_fd_(epoll_create1(EPOLL_CLOEXEC)),
      timer_fd_(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC)) {
  if (watch(set_fd_, reactor_fd) && watch(set_fd_, timer_fd_)) return;
  if (set_fd_ >= 0) ::close(std::exchange(set_fd_, -1));
}

PollDescriptor::~PollDescriptor() {
  if (set_fd_ >= 0) ::close(set_fd_);
  if (timer_fd_ >= 0) ::close(timer_fd_);
}

void PollDescriptor::ring_at(Instant at) noexcept {
  // The same deadline again needs no system call, whether it has passed or not.
  if (std::exchange(rings_at_, at) == at) return;
  itimerspec timer{};
  if (at != kNever) {
    // A time of zero would disarm it; setting the timer also takes back that it has rung.
    const Instant some_time = std::max<Instant>(at, 1);
    timer.it_value = {some_time / kSecond_ns, some_time % kSecond_ns};
  }
  timerfd_settime(timer_fd_, TFD_TIMER_ABSTIME, &timer, nullptr);
}

}  // namespace quorate::shard
