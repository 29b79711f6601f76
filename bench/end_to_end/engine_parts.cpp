#include "bench/end_to_end/engine_parts.h"

#include <chrono>
#include <cstring>

namespace quorate::bench {

EngineOptions engine_options(const RoundSpec& spec, bool hosted) {
  EngineOptions options;
  options.hosted = hosted;
  options.backend = spec.epoll ? Backend::epoll : Backend::automatic;
  return options;
}

std::string node_directory(const RoundSpec& spec, const std::string& name) {
  return spec.directory.empty() ? std::string() : spec.directory + '/' + name;
}

StorageOptions storage_options() {
  StorageOptions options;
  options.retain_bytes = kRetain_bytes;
  options.retain_bytes_hard = kRetainHard_bytes;
  return options;
}

StorageOptions storage_that_keeps_all() {
  StorageOptions options;
  options.retain_bytes = 0;
  options.retain_bytes_hard = 0;
  return options;
}

std::uint64_t stream_bytes(std::uint32_t payload_bytes) {
  return kRecordHeaderBytes + (std::uint64_t{payload_bytes} + 7) / 8 * 8;
}

Writer::Writer(Stream stream, std::uint32_t payload_bytes, std::uint64_t first,
               std::uint64_t records_max)
    : stream_(stream), payload_(payload_bytes), appended_(first) {
  const std::uint64_t room = ~std::uint64_t{0} - first;
  const std::uint64_t last = first + (records_max < room ? records_max : room);
  thread_ = std::thread([this, last] { run(last); });
}

void Writer::stop() {
  stop_.store(true, std::memory_order_relaxed);
  join();
}

void Writer::join() {
  if (thread_.joinable()) thread_.join();
}

void Writer::run(std::uint64_t last) {
  while (appended_ < last && !stop_.load(std::memory_order_relaxed)) {
    std::memcpy(payload_.data(), &appended_, sizeof appended_);
    if (stream_.try_append(payload_, end_)) {
      ++appended_;
    } else {
      stream_.wait_space(payload_.size(), std::chrono::milliseconds(100));
    }
  }
}

}  // namespace quorate::bench
