#pragma once

// A directory that this run made for its logs and removes again, however the run ends. A second
// interrupt ends the process at once and leaves it.

#include <string>
#include <utility>

#include "quorate/error.h"

namespace quorate::tools {

class OwnedDirectory {
 public:
  /// quorate-load-XXXXXX in `parent`, or where temporary files go when that is "".
  static Result<OwnedDirectory> make_fresh(const std::string& parent, bool keep);
  /// A directory in this one.
  [[nodiscard]] Result<OwnedDirectory> make_below(const std::string& name) const;

  OwnedDirectory(OwnedDirectory&& other) noexcept;
  OwnedDirectory& operator=(OwnedDirectory&&) = delete;
  ~OwnedDirectory();  ///< removes everything in it, unless it is kept

  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  OwnedDirectory(std::string path, bool keep) : path_(std::move(path)), keep_(keep) {}

  std::string path_;  ///< "": moved from
  bool keep_;
};

/// What is there, or would be made there, is gone with the machine's power.
[[nodiscard]] bool lies_in_memory(const std::string& path);

}  // namespace quorate::tools
