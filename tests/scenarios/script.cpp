#include "script.h"

#include <sstream>
#include <utility>

namespace quorate::scenarios {

namespace {

constexpr const char* kSeparator = "----";

bool is_prose(const std::string& line) { return line.empty() || line[0] == '#'; }

}  // namespace

Script parse(const std::string& text) {
  Script script;
  Block block;
  bool in_output = false;
  std::istringstream input(text);
  std::string line;
  for (std::size_t number = 1; std::getline(input, line); ++number) {
    if (in_output && !line.empty()) {
      block.output += line + '\n';
    } else if (line == kSeparator) {
      in_output = true;
    } else if (is_prose(line)) {
      if (in_output) script.blocks.push_back(std::exchange(block, {}));
      in_output = false;
      if (!block.commands.empty()) {
        script.error = "line " + std::to_string(number) + ": commands without ----";
      }
      block.prose += line + '\n';
    } else {
      if (block.commands.empty()) block.line = number;
      block.commands.push_back(line);
    }
  }
  if (in_output) script.blocks.push_back(std::exchange(block, {}));
  if (!block.commands.empty()) script.error = "the last commands have no ----";
  script.epilogue = block.prose;
  return script;
}

std::string render(const Script& script) {
  std::string text;
  for (const Block& block : script.blocks) {
    text += block.prose;
    for (const std::string& command : block.commands) text += command + '\n';
    text += std::string(kSeparator) + '\n' + block.output;
  }
  return text + script.epilogue;
}

}  // namespace quorate::scenarios
