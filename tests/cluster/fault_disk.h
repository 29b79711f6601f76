#pragma once

// A disk that fails when a test says so: fault_fs as a child, over a directory that does not.

#include <sys/mount.h>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <stdexcept>
#include <string>

#include "cluster.h"

namespace quorate::cluster {

class FaultDisk {
 public:
  /// Mounts root/disk over root/backing, or says in cannot() why not.
  explicit FaultDisk(const std::string& root)
      : path_(root + "/disk"), backing_(root + "/backing") {
    std::filesystem::create_directory(path_);
    std::filesystem::create_directory(backing_);
    if (std::string(QUORATE_FAULT_FS).empty()) {
      cannot_ = "built without libfuse3";
      return;
    }
    auto started = tools::Process::start(QUORATE_FAULT_FS, {backing_, path_});
    if (!started) throw std::runtime_error(started.error().text);
    process_ = std::move(*started);
    const auto said = process_->read_line(kPatience_s);
    if (!said) throw std::runtime_error("fault_fs: " + said.error().text);
    if (*said != "ok") cannot_ = *said;
  }
  FaultDisk(const FaultDisk&) = delete;
  FaultDisk& operator=(const FaultDisk&) = delete;
  /// Who still has a file open does not keep it.
  ~FaultDisk() {
    process_.reset();
    ::umount2(path_.c_str(), MNT_DETACH);
  }

  /// From now on that fails; see fault_fs.cpp. How often what was to fail before did.
  std::uint64_t deal(const std::string& fault) {
    process_->tell(fault);
    const auto said = process_->read_line(kPatience_s);
    if (!said) throw std::runtime_error("fault_fs: " + said.error().text);
    const std::string begin = "ok dealt=";
    if (said->rfind(begin, 0) != 0) throw std::runtime_error("fault_fs: " + fault + ": " + *said);
    return std::stoull(said->substr(begin.size()));
  }
  std::uint64_t heal() { return deal("none"); }

  [[nodiscard]] const std::string& cannot() const { return cannot_; }
  [[nodiscard]] std::string at(const std::string& name) const { return path_ + '/' + name; }
  /// The same where nothing fails.
  [[nodiscard]] std::string behind(const std::string& name) const { return backing_ + '/' + name; }

 private:
  std::string path_;
  std::string backing_;
  std::string cannot_;
  std::optional<tools::Process> process_;
};

}  // namespace quorate::cluster
