#include "tools/load/owned_directory.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <optional>
#include <utility>

namespace quorate::tools {
namespace {

namespace fs = std::filesystem;

TEST(OwnedDirectory, IsRemovedWithEverythingInIt) {
  std::optional<OwnedDirectory> outer(OwnedDirectory::make_fresh("", false).value());
  const std::string path = outer->path();
  {
    const OwnedDirectory inner = outer->make_below("0").value();
    EXPECT_EQ(inner.path(), path + "/0");
    std::ofstream(inner.path() + "/file") << "contents";
    EXPECT_TRUE(fs::exists(inner.path() + "/file"));
  }
  EXPECT_TRUE(fs::is_empty(path));
  outer.reset();
  EXPECT_FALSE(fs::exists(path));
}

TEST(OwnedDirectory, IsKeptWhenAsked) {
  std::string path;
  {
    const OwnedDirectory outer = OwnedDirectory::make_fresh("", true).value();
    path = outer.make_below("0").value().path();
  }
  EXPECT_TRUE(fs::is_directory(path));
  fs::remove_all(fs::path(path).parent_path());
}

TEST(OwnedDirectory, IsAnotherOneEachTime) {
  const OwnedDirectory parent = OwnedDirectory::make_fresh("", false).value();
  const OwnedDirectory one = OwnedDirectory::make_fresh(parent.path(), false).value();
  const OwnedDirectory other = OwnedDirectory::make_fresh(parent.path(), false).value();
  EXPECT_NE(one.path(), other.path());
  EXPECT_EQ(fs::path(one.path()).parent_path(), parent.path());
}

TEST(OwnedDirectory, SaysWhyItCannotBeMade) {
  const OwnedDirectory parent = OwnedDirectory::make_fresh("", false).value();
  const auto made = OwnedDirectory::make_fresh(parent.path() + "/none", false);
  ASSERT_FALSE(made);
  EXPECT_NE(made.error().text.find("No such file or directory"), std::string::npos);
  EXPECT_FALSE(parent.make_below("none/0"));
}

}  // namespace
}  // namespace quorate::tools
