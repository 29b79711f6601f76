// Every view function, and every field of what it accepts.

#include "base/check.h"
#include "tests/fuzz/target.h"
#include "tests/unit/wire/messages.h"

std::vector<FuzzInput> fuzz_seeds() {
  std::vector<FuzzInput> seeds;
  std::uint8_t index = 0;
  for (const auto& message : quorate::wire::valid_messages()) {
    FuzzInput input{index++};
    for (const std::byte b : message.body) input.push_back(std::to_integer<std::uint8_t>(b));
    seeds.push_back(input);
  }
  return seeds;
}

/// The first byte chooses the message, the rest is its body.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 1) return 0;
  static const auto messages = quorate::wire::valid_messages();
  const auto& message = messages[data[0] % messages.size()];
  const quorate::wire::Exact body(std::as_bytes(std::span(data + 1, size - 1)));
  CHECK(message.accepts(body.bytes()) == message.read(body.bytes()));
  return 0;
}
