#include "tests/simulation/system/disk_names.h"

#include <algorithm>
#include <cerrno>
#include <set>
#include <utility>

namespace quorate::simulation {

namespace {

const std::string kRoot = "/";

}  // namespace

DiskNames::DiskNames() {
  durable_[kRoot] = std::make_shared<DiskFile>(true);
  entries_ = durable_;
}

std::string DiskNames::tidy(const std::string& path) {
  std::string tidied = kRoot;
  for (const char c : path) {
    if (c != '/' || tidied.back() != '/') tidied += c;
  }
  if (tidied.size() > 1 && tidied.back() == '/') tidied.pop_back();
  return tidied;
}

std::string DiskNames::parent_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == 0 || slash == std::string::npos ? kRoot : path.substr(0, slash);
}

std::shared_ptr<DiskFile> DiskNames::find(const std::string& path) const {
  const auto entry = entries_.find(tidy(path));
  return entry == entries_.end() ? nullptr : entry->second;
}

std::int32_t DiskNames::missing(const std::string& path) const {
  const std::shared_ptr<DiskFile> parent = find(parent_of(tidy(path)));
  return parent != nullptr && !parent->directory() ? -ENOTDIR : -ENOENT;
}

std::int32_t DiskNames::can_make(const std::string& path) const {
  const std::string tidied = tidy(path);
  if (entries_.contains(tidied)) return -EEXIST;
  const std::shared_ptr<DiskFile> parent = find(parent_of(tidied));
  if (parent == nullptr) return -ENOENT;
  return parent->directory() ? 0 : -ENOTDIR;
}

std::vector<std::string> DiskNames::list(const std::string& directory) const {
  const std::string tidied = tidy(directory);
  std::vector<std::string> names;
  for (const auto& [path, file] : entries_) {
    if (path == kRoot || parent_of(path) != tidied) continue;
    names.push_back(path.substr(path.rfind('/') + 1));
  }
  std::sort(names.begin(), names.end());
  return names;
}

void DiskNames::make(const std::string& path, std::shared_ptr<DiskFile> file,
                     std::uint64_t number) {
  record({number, "", tidy(path), std::move(file)});
}

std::int32_t DiskNames::rename(const std::string& from, const std::string& to,
                               std::uint64_t number) {
  const std::string old_path = tidy(from), new_path = tidy(to);
  const std::shared_ptr<DiskFile> file = find(old_path);
  if (file == nullptr) return -ENOENT;
  // Programs rename files only; a directory would take its whole tree with it.
  if (file->directory()) return -EISDIR;
  const std::int32_t makeable = can_make(new_path);
  if (makeable < 0 && makeable != -EEXIST) return makeable;
  if (makeable == -EEXIST && find(new_path)->directory()) return -EISDIR;
  if (old_path != new_path) record({number, old_path, new_path, nullptr});
  return 0;
}

std::int32_t DiskNames::remove(const std::string& path, std::uint64_t number) {
  const std::string tidied = tidy(path);
  const std::shared_ptr<DiskFile> file = find(tidied);
  if (file == nullptr) return -ENOENT;
  if (file->directory()) return -EISDIR;
  record({number, tidied, "", nullptr});
  return 0;
}

void DiskNames::record(Change change) {
  apply(change, entries_);
  journal_.push_back(std::move(change));
}

void DiskNames::apply(const Change& change, Entries& entries) {
  std::shared_ptr<DiskFile> file = change.file;
  if (!change.from.empty()) {
    const auto from = entries.find(change.from);
    file = std::move(from->second);
    entries.erase(from);
  }
  if (!change.to.empty()) entries[change.to] = std::move(file);
}

void DiskNames::sync(const DiskFile& directory, std::uint64_t number) {
  std::set<std::string> needed;
  for (const auto& [path, file] : entries_) {
    if (file.get() == &directory) needed.insert(path);
  }
  // From the latest change to the first: each brings with it the earlier ones of its entries and
  // of the directories they are in.
  std::vector<bool> covered(journal_.size());
  const auto is_needed = [&](const std::string& path) {
    return !path.empty() && (needed.contains(path) || find(parent_of(path)).get() == &directory);
  };
  for (std::size_t i = journal_.size(); i-- > 0;) {
    const Change& change = journal_[i];
    covered[i] = change.number <= number && (is_needed(change.from) || is_needed(change.to));
    if (!covered[i]) continue;
    for (const std::string* path : {&change.from, &change.to}) {
      if (!path->empty()) needed.insert({*path, parent_of(*path)});
    }
  }
  std::vector<Change> left;
  for (std::size_t i = 0; i < journal_.size(); ++i) {
    if (covered[i]) apply(journal_[i], durable_);
    else left.push_back(std::move(journal_[i]));
  }
  journal_ = std::move(left);
}

void DiskNames::power_loss(Draw& draw) {
  std::set<std::string> undone;
  for (const Change& change : journal_) {
    bool keep = draw.chance(500);
    for (const std::string* path : {&change.from, &change.to}) {
      if (path->empty()) continue;
      if (undone.contains(*path) || undone.contains(parent_of(*path))) keep = false;
    }
    if (keep) {
      apply(change, durable_);
      continue;
    }
    for (const std::string* path : {&change.from, &change.to}) {
      if (!path->empty()) undone.insert(*path);
    }
  }
  journal_.clear();
  entries_ = durable_;
}

}  // namespace quorate::simulation
