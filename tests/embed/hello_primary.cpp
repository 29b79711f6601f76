#include <quorate/primary.h>

int main(int, char** argv) {
  auto primary = quorate::Primary::open({.listen = argv[1], .replicas = {"b", "c"}}).value();
  quorate::Ticket ticket = primary.append("hello").value();  // ordered; Errc::busy = back off
  primary.wait(ticket, quorate::semi_sync(1)).value();       // or on_released, or co_await
}
