#pragma once

// What a node must not forget: which storage this is, what it promised, what is known of its log.
// A save goes to the generation that is not the latest, both copies of it, and has ended when both
// are durable: what depends on it is sent then, and not before.

#include <array>
#include <optional>
#include <string>

#include "log/aligned_buffer.h"
#include "log/blocking_files.h"
#include "log/format.h"

namespace quorate::log {

class MetadataFile {
 public:
  /// Told how a save ended. After an error nothing is known about it, and the file is done for.
  struct Listener {
    virtual void on_saved(const Status& status) = 0;

   protected:
    ~Listener() = default;
  };

  MetadataFile(reactor::Files& files, const std::string& directory);
  ~MetadataFile();
  MetadataFile(const MetadataFile&) = delete;
  MetadataFile& operator=(const MetadataFile&) = delete;

  static std::string path_in(const std::string& directory) { return directory + "/metadata"; }
  /// In a directory that has none. Durable when it returns.
  static Status create(BlockingFiles& files, const std::string& directory, Metadata metadata);

  /// Blocks. The latest generation; no value: no copy can be believed (the storage has lost its
  /// identity). An error: the file cannot be opened, synced or read, for instance as it is missing.
  Result<std::optional<Metadata>> load(BlockingFiles& files);
  /// The same without a sync, so that the disk is not changed: what is told need not be durable.
  Result<std::optional<Metadata>> examine(BlockingFiles& files);

  /// Instead of load(): goes on where another one that has loaded or saved stopped, which is gone.
  void go_on(const Metadata& latest) noexcept { latest_ = latest; }

  /// Only after load() or go_on(), and when no save is in flight. Sequence and chain are filled in.
  void save(const Metadata& metadata, Listener& listener);
  [[nodiscard]] bool saving() const noexcept { return pending_ > 0 || open_.in_flight(); }
  [[nodiscard]] const Metadata& latest() const noexcept { return latest_; }

 private:
  struct Copy {
    reactor::Operation operation;
    iovec vector{};
  };
  void on_opened(std::int32_t result);
  void write_copies();
  void on_written(std::int32_t result);
  Result<std::optional<Metadata>> read(BlockingFiles& files, const NamedFile& file);

  reactor::Files& files_;
  NamedFile file_;
  Metadata latest_;
  Metadata next_;
  AlignedBuffer block_{kBlockBytes};
  std::array<Copy, 2> copies_;
  reactor::Operation open_;
  bool direct_ = true;
  Listener* listener_ = nullptr;
  std::size_t pending_ = 0;
  std::int32_t worst_ = 0;  ///< result among the writes of one save
};

}  // namespace quorate::log
