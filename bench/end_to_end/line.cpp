#include "bench/end_to_end/line.h"

#include <cstdlib>
#include <iostream>
#include <string>

namespace quorate::bench {

void say(std::string_view line) {
  std::cout << line << std::endl;
}

Line hear(std::string_view verb) {
  std::string line;
  if (!std::getline(std::cin, line)) std::_Exit(1);
  Line parsed = Line::parse(line);
  if (parsed.verb != verb) fail("expected '" + std::string(verb) + "', heard '" + line + "'");
  return parsed;
}

void fail(std::string_view text) {
  say("error " + std::string(text));
  std::_Exit(1);
}

}  // namespace quorate::bench
