#include "tests/simulation/system/disk_file.h"

#include <algorithm>
#include <cstring>
#include <iterator>
#include <utility>

#include "base/check.h"

namespace quorate::simulation {

namespace {

constexpr SectorBytes kZeros{};

std::uint64_t blocks_up(std::uint64_t bytes) {
  return (bytes + kBlockBytes - 1) / kBlockBytes * kBlockBytes;
}

std::uint64_t sectors_up(std::uint64_t bytes) {
  return bytes / kSectorBytes + (bytes % kSectorBytes != 0 ? 1 : 0);
}

std::unique_ptr<SectorBytes> kept_unless_zero(const SectorBytes& bytes) {
  if (bytes == kZeros) return nullptr;
  return std::make_unique<SectorBytes>(bytes);
}

/// How many versions, oldest first, have at most this number.
template <typename Versions>
std::size_t covered(const Versions& versions, std::uint64_t number) {
  std::size_t count = 0;
  while (count < versions.size() && versions[count].number <= number) ++count;
  return count;
}

/// A sector of which a part is inside of a range that is read or written.
struct Piece {
  std::uint64_t sector;
  std::size_t begin;  ///< in the sector
  std::size_t bytes;
};

Piece piece_at(std::uint64_t offset, std::size_t left) {
  const auto begin = static_cast<std::size_t>(offset % kSectorBytes);
  return {offset / kSectorBytes, begin, std::min(left, kSectorBytes - begin)};
}

}  // namespace

const SectorBytes* DiskFile::find(std::uint64_t sector, bool direct) const {
  // Linux writes dirty pages back before it reads past the page cache. Clean ones are not written.
  const auto unsynced = unsynced_.find(sector);
  if (unsynced != unsynced_.end() && !(direct && unsynced->second.clean)) {
    return unsynced->second.versions.back().bytes.get();
  }
  const auto durable = medium_.find(sector);
  return durable == medium_.end() ? nullptr : durable->second.get();
}

void DiskFile::read(std::uint64_t offset, std::span<std::byte> out, bool direct) const {
  while (!out.empty()) {
    const Piece piece = piece_at(offset, out.size());
    const SectorBytes* bytes = find(piece.sector, direct);
    std::memcpy(out.data(), (bytes == nullptr ? kZeros : *bytes).data() + piece.begin,
                piece.bytes);
    out = out.subspan(piece.bytes);
    offset += piece.bytes;
  }
}

void DiskFile::write(std::uint64_t offset, std::span<const std::byte> bytes, std::uint64_t number,
                     const std::shared_ptr<const Detour>& detour) {
  const std::uint64_t end = offset + bytes.size();
  while (!bytes.empty()) {
    const Piece piece = piece_at(offset, bytes.size());
    const SectorBytes* before = find(piece.sector, false);
    SectorBytes content = before == nullptr ? kZeros : *before;
    std::memcpy(content.data() + piece.begin, bytes.data(), piece.bytes);
    put(piece.sector, {number, kept_unless_zero(content), detour, false});
    bytes = bytes.subspan(piece.bytes);
    offset += piece.bytes;
  }
  preallocate(end, number);
}

void DiskFile::put(std::uint64_t sector, Version version) {
  Unsynced& unsynced = unsynced_[sector];
  const bool replaces =
      !unsynced.versions.empty() && (unsynced.clean || unsynced.versions.back().number > kept_);
  if (replaces) unsynced.versions.pop_back();
  unsynced.clean = false;
  unsynced.versions.push_back(std::move(version));
}

void DiskFile::preallocate(std::uint64_t end, std::uint64_t number) {
  space_ = std::max(space_, blocks_up(end));
  if (end > size_) set_size(end, number);
}

void DiskFile::truncate(std::uint64_t bytes, std::uint64_t number) {
  // What was beyond must read as zero if the file grows again, also before the next sync.
  std::vector<std::uint64_t> cut;
  const std::uint64_t first = bytes / kSectorBytes;
  for (auto at = medium_.lower_bound(first); at != medium_.end(); ++at) cut.push_back(at->first);
  for (auto at = unsynced_.lower_bound(first); at != unsynced_.end(); ++at) {
    cut.push_back(at->first);
  }
  if (bytes > size_) cut.clear();
  for (const std::uint64_t sector : cut) {
    SectorBytes content{};
    const SectorBytes* before = find(sector, false);
    if (sector == first && before != nullptr) {
      std::copy_n(before->begin(), bytes % kSectorBytes, content.begin());
    }
    put(sector, {number, kept_unless_zero(content), nullptr, true});
  }
  if (bytes < size_) space_ = std::min(space_, blocks_up(bytes));
  if (bytes != size_) set_size(bytes, number);
}

void DiskFile::set_size(std::uint64_t size, std::uint64_t number) {
  size_ = size;
  if (!sizes_.empty() && sizes_.back().number > kept_) sizes_.pop_back();
  sizes_.push_back({number, size});
}

void DiskFile::sync(std::uint64_t number) {
  sync_size(number);
  each_in(0, ~std::uint64_t{0}, [&](Sectors::iterator at) { flush(at, number); });
}

void DiskFile::sync_part(std::uint64_t offset, std::uint64_t bytes, std::uint64_t number) {
  if (offset + bytes > durable_size_) sync_size(number);
  each_in(offset, bytes, [&](Sectors::iterator at) { flush(at, number); });
}

void DiskFile::fail_sync(std::uint64_t offset, std::uint64_t bytes, std::uint64_t number,
                         Draw& draw) {
  if (draw.chance(500)) sync_size(number);
  each_in(offset, bytes, [&](Sectors::iterator at) {
    const std::int64_t way = draw.between(0, 3);
    if (way == 0) flush(at, number);
    if (way >= 2) forget(at, number);
  });
}

void DiskFile::each_in(std::uint64_t offset, std::uint64_t bytes, const Each& each) {
  const std::uint64_t limit = bytes > ~std::uint64_t{0} - offset ? ~std::uint64_t{0}
                                                                 : offset + bytes;
  const std::uint64_t end = sectors_up(limit);
  auto at = unsynced_.lower_bound(offset / kSectorBytes);
  while (at != unsynced_.end() && at->first < end) each(at++);
}

void DiskFile::sync_size(std::uint64_t number) {
  const std::size_t count = covered(sizes_, number);
  if (count == 0) return;
  const std::uint64_t size = sizes_[count - 1].size;
  sizes_.erase(sizes_.begin(), sizes_.begin() + static_cast<std::ptrdiff_t>(count));
  const bool shrinks = size < durable_size_;
  durable_size_ = size;
  if (shrinks) cut_medium();
}

void DiskFile::flush(Sectors::iterator at, std::uint64_t number) {
  Unsynced& unsynced = at->second;
  const std::size_t count = covered(unsynced.versions, number);
  if (unsynced.clean || count == 0) return;
  const Version& newest = unsynced.versions[count - 1];
  reach_medium(at->first, newest);
  // After a detour the page cache still shows what the medium does not have.
  if (newest.detour != nullptr) {
    forget(at, number);
  } else if (count == unsynced.versions.size()) {
    unsynced_.erase(at);
  } else {
    unsynced.versions.erase(unsynced.versions.begin(),
                            unsynced.versions.begin() + static_cast<std::ptrdiff_t>(count));
  }
}

void DiskFile::forget(Sectors::iterator at, std::uint64_t number) {
  Unsynced& unsynced = at->second;
  const std::size_t count = covered(unsynced.versions, number);
  if (unsynced.clean || count == 0) return;
  unsynced.clean = count == unsynced.versions.size();
  const std::size_t gone = unsynced.clean ? count - 1 : count;
  unsynced.versions.erase(unsynced.versions.begin(),
                          unsynced.versions.begin() + static_cast<std::ptrdiff_t>(gone));
}

void DiskFile::reach_medium(std::uint64_t sector, const Version& version) {
  DiskFile* file = this;
  std::shared_ptr<DiskFile> other;
  if (version.detour != nullptr) {
    other = version.detour->to.lock();
    if (other == nullptr) return;
    file = other.get();
    sector += static_cast<std::uint64_t>(version.detour->shift);
    // Beyond its end the other file has no sector that could be hit.
    if (sector >= sectors_up(file->size_)) return;
    ++*version.detour->hits;
  }
  if (version.bytes == nullptr) {
    file->medium_.erase(sector);
  } else {
    file->medium_[sector] = std::make_unique<SectorBytes>(*version.bytes);
  }
}

void DiskFile::power_loss(Draw& draw, PowerLossCounts& counts) {
  for (auto& [sector, unsynced] : unsynced_) tear(sector, unsynced, draw, counts);
  unsynced_.clear();
  lose_size(draw);
  cut_medium();
  size_ = durable_size_;
  space_ = blocks_up(size_);
  kept_ = 0;
}

void DiskFile::tear(std::uint64_t sector, Unsynced& unsynced, Draw& draw,
                    PowerLossCounts& counts) {
  constexpr std::int64_t kOld = 9, kNew = 9, kGarbage = 2;  // of 20
  const std::vector<Version>& versions = unsynced.versions;
  const std::int64_t fate = unsynced.clean ? 0 : draw.between(0, kOld + kNew + kGarbage - 1);
  std::size_t missed_from = 0;
  if (fate >= kOld && fate < kOld + kNew) {
    const auto last = static_cast<std::int64_t>(versions.size()) - 1;
    const auto reached = static_cast<std::size_t>(draw.between(0, last));
    reach_medium(sector, versions[reached]);
    counts.writes[versions[reached].number].reached = true;
    missed_from = reached + 1;
  } else if (fate >= kOld + kNew && !versions.back().hole) {
    auto garbage = std::make_unique<SectorBytes>();
    for (std::byte& byte : *garbage) byte = static_cast<std::byte>(draw.bits());
    medium_[sector] = std::move(garbage);
    ++counts.garbled;
  }
  if (missed_from < versions.size()) ++counts.lost;
  for (std::size_t i = missed_from; i < versions.size(); ++i) {
    counts.writes[versions[i].number].missed = true;
  }
}

void DiskFile::lose_size(Draw& draw) {
  const auto reached =
      static_cast<std::size_t>(draw.between(0, static_cast<std::int64_t>(sizes_.size())));
  if (reached > 0) durable_size_ = sizes_[reached - 1].size;
  sizes_.clear();
}

void DiskFile::cut_medium() {
  medium_.erase(medium_.lower_bound(sectors_up(durable_size_)), medium_.end());
  const auto last = medium_.find(durable_size_ / kSectorBytes);
  if (last == medium_.end()) return;
  const auto inside = static_cast<std::ptrdiff_t>(durable_size_ % kSectorBytes);
  std::fill(last->second->begin() + inside, last->second->end(), std::byte{0});
}

bool DiskFile::flip_bit(Draw& draw) {
  if (medium_.empty()) return false;
  const auto last = static_cast<std::int64_t>(std::prev(medium_.end())->first);
  const auto first = static_cast<std::int64_t>(medium_.begin()->first);
  const auto at = medium_.lower_bound(static_cast<std::uint64_t>(draw.between(first, last)));
  const std::int64_t bit = draw.between(0, static_cast<std::int64_t>(kSectorBytes) * 8 - 1);
  (*at->second)[static_cast<std::size_t>(bit / 8)] ^= static_cast<std::byte>(1 << (bit % 8));
  return true;
}

}  // namespace quorate::simulation
