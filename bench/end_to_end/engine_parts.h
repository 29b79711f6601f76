#pragma once

// What the roles that are nodes of the engine share. Used inside their processes only.

#include <fmt/format.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "bench/end_to_end/line.h"
#include "bench/end_to_end/round.h"
#include "quorate/primary.h"

namespace quorate::bench {

/// What a node whose log is only measured keeps of it: little enough that segments are used again
/// during warm-up already, as they are all the time in a program that runs for long.
inline constexpr std::uint64_t kRetain_bytes = 128u << 20;
inline constexpr std::uint64_t kRetainHard_bytes = 1u << 30;

EngineOptions engine_options(const RoundSpec& spec, bool hosted);
/// The directory of the node of that name; "" when the round has no logs.
std::string node_directory(const RoundSpec& spec, const std::string& name);
StorageOptions storage_options();
/// Nothing that was written is ever given up.
StorageOptions storage_that_keeps_all();

/// What a record takes of its stream.
std::uint64_t stream_bytes(std::uint32_t payload_bytes);

template <typename T>
T require(Result<T> result, const char* what) {
  if (!result) fail(fmt::format("{}: {}", what, result.error().text));
  return std::move(*result);
}

/// Appends as fast as the stream takes it, from its own thread in the primary's process.
class Writer {
 public:
  /// `first`: the index that the first record carries. `records_max`: it stops by itself then.
  Writer(Stream stream, std::uint32_t payload_bytes, std::uint64_t first = 0,
         std::uint64_t records_max = ~std::uint64_t{0});
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;
  ~Writer() { stop(); }

  void stop();
  /// Waits until it has stopped by itself.
  void join();
  // After stop() or join().
  [[nodiscard]] std::uint64_t appended() const { return appended_; }  ///< with those before `first`
  [[nodiscard]] Position end() const { return end_; }

 private:
  void run(std::uint64_t last);

  Stream stream_;
  std::vector<std::byte> payload_;
  std::uint64_t appended_ = 0;
  Position end_ = 0;
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

}  // namespace quorate::bench
