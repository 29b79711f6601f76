// Signals interrupt system calls everywhere; nobody notices.

#include <signal.h>
#include <sys/time.h>

#include <atomic>
#include <cstring>

#include "loop.h"

namespace quorate::reactor {
namespace {

KERNEL_CONFORMANCE_SUITE(Signals);

std::atomic<int> signals_seen{0};

/// A signal every 200 microseconds whose handler does not ask for system calls to be restarted.
class Interruptions {
 public:
  Interruptions() {
    struct sigaction action {};
    action.sa_handler = [](int) { signals_seen.fetch_add(1); };
    sigaction(SIGALRM, &action, &before_);
    const itimerval every{{0, 200}, {0, 200}};
    setitimer(ITIMER_REAL, &every, nullptr);
  }
  ~Interruptions() {
    const itimerval never{};
    setitimer(ITIMER_REAL, &never, nullptr);
    sigaction(SIGALRM, &before_, nullptr);
  }

 private:
  struct sigaction before_ {};
};

TEST_P(Signals, TransfersGoOn) {
  Loop small = make_loop({"cubic", 32 << 10});
  const Pair pair = connect_pair(small);
  std::string sent = pattern(4u << 20);
  const Interruptions interruptions;
  const int until = signals_seen + 20;
  while (signals_seen < until) {
    Probe sending;
    sending.send(*small, pair.client, {{sent.data(), sent.size() / 2},
                                       {sent.data() + sent.size() / 2, sent.size() / 2}});
    ASSERT_TRUE(receive_all(small, pair.server, sent.size(), 30'000) == sent);
    small.run(sending);
    ASSERT_EQ(sending.result(), static_cast<std::int32_t>(sent.size()));
  }
  small->close(pair.client);
  small->close(pair.server);
}

TEST_P(Signals, ConnectionsAreMade) {
  const Interruptions interruptions;
  const int until = signals_seen + 20;
  while (signals_seen < until) close(connect_pair());
}

TEST_P(Signals, SleepEndsAtItsDeadline) {
  const Interruptions interruptions;
  const int until = signals_seen + 5;
  while (signals_seen < until) {
    const Instant deadline = loop()->now() + 5 * kMillisecond_ns;
    while (loop()->now() < deadline) {
      loop()->wait(deadline);
      ASSERT_EQ(loop().reap(), 0u);
    }
  }
}

}  // namespace
}  // namespace quorate::reactor
