#pragma once

// The entries of all directories of a disk, by path: as programs see them, and as they are on the
// medium. Between the two lies a journal of changes. A change is atomic, and is on the medium only
// if the earlier ones of the same entry are.

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "tests/simulation/system/disk_file.h"

namespace quorate::simulation {

/// Operations answer 0 or a negated errno.
class DiskNames {
 public:
  using Entries = std::map<std::string, std::shared_ptr<DiskFile>>;

  DiskNames();

  /// As programs see them; "/" is among them.
  [[nodiscard]] const Entries& entries() const noexcept { return entries_; }
  [[nodiscard]] std::shared_ptr<DiskFile> find(const std::string& path) const;
  /// The error for a path at which nothing was found.
  [[nodiscard]] std::int32_t missing(const std::string& path) const;
  /// 0 when something can be made at this path.
  [[nodiscard]] std::int32_t can_make(const std::string& path) const;
  /// Names of what is in a directory, sorted.
  [[nodiscard]] std::vector<std::string> list(const std::string& directory) const;

  void make(const std::string& path, std::shared_ptr<DiskFile> file, std::uint64_t number);
  [[nodiscard]] std::int32_t rename(const std::string& from, const std::string& to,
                                    std::uint64_t number);
  [[nodiscard]] std::int32_t remove(const std::string& path, std::uint64_t number);

  /// Changes up to `number` in this directory, and what they need, go to the medium.
  void sync(const DiskFile& directory, std::uint64_t number);
  /// Each change that is not on the medium gets there or is undone.
  void power_loss(Draw& draw);

  /// Without a slash at the end, except of "/".
  static std::string tidy(const std::string& path);
  static std::string parent_of(const std::string& path);

 private:
  struct Change {
    std::uint64_t number = 0;
    std::string from;  ///< empty: made
    std::string to;    ///< empty: removed
    std::shared_ptr<DiskFile> file;  ///< of what is made
  };

  static void apply(const Change& change, Entries& entries);
  void record(Change change);

  Entries entries_;
  Entries durable_;
  std::vector<Change> journal_;
};

}  // namespace quorate::simulation
