#pragma once

// The text format of a scenario: prose (blank lines and lines that begin with #), command lines, a
// line of four dashes, then the output until a blank line.

#include <cstddef>
#include <string>
#include <vector>

namespace quorate::scenarios {

struct Block {
  std::string prose;                  ///< verbatim, newlines included
  std::vector<std::string> commands;
  std::string output;                 ///< verbatim, newlines included
  std::size_t line = 0;               ///< of the first command, from 1
};

struct Script {
  std::vector<Block> blocks;
  std::string epilogue;  ///< prose behind the last block
  std::string error;     ///< empty when the text could be read
};

Script parse(const std::string& text);
std::string render(const Script& script);

}  // namespace quorate::scenarios
