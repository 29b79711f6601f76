// Which backend is taken when the kernel forbids something: in child processes under a seccomp
// filter, because a filter cannot be taken off again.

#include <gtest/gtest.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <iostream>
#include <string>

#include "reactor/reactor.h"

namespace quorate::reactor {
namespace {

/// From now on the system call `number` fails with `error` in this process.
void forbid(long number, int error) {
  sock_filter program[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<unsigned>(number), 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | static_cast<unsigned>(error)),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  sock_fprog filter{4, program};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
      prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) != 0) {
    std::cerr << "this environment has no seccomp filters\n";
    std::exit(77);
  }
}

/// Prints what was chosen, for the parent to read.
[[noreturn]] void choose(Backend backend) {
  std::string why;
  auto reactor = make_reactor(backend, why);
  if (reactor) {
    std::cerr << "made " << (*reactor)->name() << ": " << why << "\n";
  } else {
    const Error& error = reactor.error();
    std::cerr << "error " << to_string(error.code) << ": " << error.text << "\n";
  }
  std::exit(0);
}

/// A sleep and a wake-up, where only the older system call is to be had.
[[noreturn]] void sleep_and_wake() {
  std::string why;
  auto reactor = std::move(make_reactor(Backend::epoll, why)).value();
  const Instant deadline = reactor->now() + 3 * kMillisecond_ns;
  int turns = 0;
  for (; reactor->now() < deadline; ++turns) reactor->wait(deadline);
  reactor->wait(0);
  reactor->wake();
  reactor->wait(kNever);
  std::cerr << (turns < 50 ? "slept" : "span") << "\n";
  std::exit(0);
}

class BackendChoice : public testing::Test {};

TEST_F(BackendChoice, FallsBackToEpollAndSaysWhatTheKernelAnswered) {
  EXPECT_EXIT((forbid(SYS_io_uring_setup, EPERM), choose(Backend::automatic)),
              testing::ExitedWithCode(0),
              "made epoll: .*io_uring cannot be had.*Operation not permitted.*seccomp");
  EXPECT_EXIT((forbid(SYS_io_uring_setup, ENOSYS), choose(Backend::automatic)),
              testing::ExitedWithCode(0), "made epoll: .*Function not implemented");
  EXPECT_EXIT((forbid(SYS_io_uring_setup, ENOMEM), choose(Backend::automatic)),
              testing::ExitedWithCode(0), "made epoll: .*Cannot allocate memory.*MEMLOCK");
}

TEST_F(BackendChoice, ABackendAskedForByNameIsNotReplaced) {
  EXPECT_EXIT((forbid(SYS_io_uring_setup, EPERM), choose(Backend::io_uring)),
              testing::ExitedWithCode(0), "error unsupported: .*io_uring.*Operation not permitted");
  EXPECT_EXIT(choose(Backend::epoll), testing::ExitedWithCode(0), "made epoll: epoll, as asked");
}

TEST_F(BackendChoice, TakesIoUringWhereItIsAllowed) {
  std::string why;
  const auto named = make_reactor(Backend::io_uring, why);
  if (!named) GTEST_SKIP() << named.error().text;
  EXPECT_EXIT(choose(Backend::automatic), testing::ExitedWithCode(0), "made io_uring: io_uring");
}

TEST_F(BackendChoice, EpollWorksWithoutTheCallThatTakesATimespec) {
  EXPECT_EXIT((forbid(SYS_epoll_pwait2, ENOSYS), sleep_and_wake()), testing::ExitedWithCode(0),
              "slept");
  EXPECT_EXIT((forbid(SYS_epoll_pwait2, EPERM), sleep_and_wake()), testing::ExitedWithCode(0),
              "slept");
}

}  // namespace
}  // namespace quorate::reactor
