#include "tools/cli/storage_flags.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <system_error>

namespace quorate::tools {

namespace {

constexpr std::uint32_t kSegmentMin_mib = 8;
constexpr std::uint32_t kSegmentMax_mib = 1024;
constexpr std::uint32_t kRetainMax_mib = 1u << 30;
constexpr std::uint64_t kMib = std::uint64_t{1} << 20;

Error usage(std::string text) {
  return {Errc::invalid_option, std::move(text)};
}

}  // namespace

void add_storage_flags(OptionSet& options, StorageFlags& flags, const std::string& directory_help) {
  options.text("directory", "DIR", flags.directory, directory_help);
  options.number("segment-mib", "N", flags.segment_mib, kSegmentMin_mib, kSegmentMax_mib,
                 "Logs: size of their files, which are made ahead, in MiB");
  options.number("retain-mib", "N", flags.retain_mib, 0u, kRetainMax_mib,
                 "Logs: go no further back than that, or four files, whoever needs more, but for "
                 "what is not committed; 0: 1 GiB, and 4 GiB where a replica needs them [0]");
  options.flag("buffered", flags.buffered,
               "Logs: write through the page cache even where the file system can do without");
}

StorageOptions StorageFlags::options() const {
  StorageOptions storage;
  storage.segment_bytes = segment_mib * kMib;
  storage.direct = !buffered;
  if (retain_mib != 0) {
    storage.retain_bytes = retain_mib * kMib;
    storage.retain_bytes_hard = std::max(storage.retain_bytes, 4 * storage.segment_bytes);
  }
  return storage;
}

Status StorageFlags::has_a_place() const {
  std::filesystem::path path(directory);
  if (!path.has_filename()) path = path.parent_path();
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) return Done{};
  const std::filesystem::path parent = path.has_parent_path() ? path.parent_path() : ".";
  const bool taken = std::filesystem::exists(path, error);
  if (!directory.empty() && !taken && std::filesystem::is_directory(parent, error)) return Done{};
  return usage(fmt::format("--directory: found \"{}\", allowed a directory, or a new name in one",
                           directory));
}

Status StorageFlags::fits(const EngineFlags& engine, std::uint32_t streams) const {
  if (engine.ring_bytes() > kLoggedRingMax_bytes) {
    return usage(fmt::format("--ring-kib: found {}, allowed with logs at most {}", engine.ring_kib,
                             kLoggedRingMax_bytes >> 10));
  }
  if (streams > kLoggedStreamsMax) {
    return usage(
        fmt::format("--streams: found {}, allowed with logs 1…{}", streams, kLoggedStreamsMax));
  }
  // A file holds at least two of the largest frames, which are a quarter of the ring.
  const std::uint64_t least =
      std::max<std::uint64_t>(kSegmentMin_mib, (engine.ring_bytes() / 2 + kMib - 1) / kMib);
  if (segment_mib >= least) return Done{};
  return usage(fmt::format("--segment-mib: found {}, allowed with --ring-kib {} {}…{}", segment_mib,
                           engine.ring_kib, least, kSegmentMax_mib));
}

Status refuse_storage_details(const OptionSet& given, const std::string& needed) {
  for (const char* name : {"segment-mib", "retain-mib", "buffered"}) {
    if (given.given(name)) return usage(fmt::format("--{}: allowed only with {}", name, needed));
  }
  return Done{};
}

}  // namespace quorate::tools
