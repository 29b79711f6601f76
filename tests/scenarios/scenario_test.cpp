// One test per scenario file. With --rewrite the files get the output of this run.

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>

#include "commands.h"
#include "script.h"

namespace quorate::scenarios {
namespace {

bool rewrite = false;

std::vector<std::filesystem::path> scenario_files() {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(QUORATE_SCENARIO_DIR)) {
    if (entry.path().extension() == ".txt") files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

std::string read(const std::filesystem::path& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

class Scenario : public ::testing::TestWithParam<std::filesystem::path> {};

TEST_P(Scenario, GoesAsWritten) {
  Script script = parse(read(GetParam()));
  ASSERT_EQ(script.error, "");
  ASSERT_FALSE(script.blocks.empty());
  Commands commands;
  for (Block& block : script.blocks) {
    std::ostringstream output;
    for (const std::string& command : block.commands) commands.run(command, output);
    if (!rewrite) {
      ASSERT_EQ(block.output, output.str()) << GetParam().string() << ":" << block.line;
    }
    block.output = output.str();
  }
  if (rewrite) std::ofstream(GetParam()) << render(script);
}

INSTANTIATE_TEST_SUITE_P(Core, Scenario, ::testing::ValuesIn(scenario_files()),
                         [](const auto& file) { return file.param.stem().string(); });

}  // namespace
}  // namespace quorate::scenarios

int main(int argc, char** argv) {
  ::testing::InitGoogleTest(&argc, argv);
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], "--rewrite") == 0) quorate::scenarios::rewrite = true;
  }
  return RUN_ALL_TESTS();
}
