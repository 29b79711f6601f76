#include "tests/simulation/system/disk.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "tests/simulation/system/disk_checks.h"
#include "tests/simulation/system/simulated_files.h"

namespace quorate::simulation {

namespace {

using reactor::Operation;
using Kind = Operation::Kind;

constexpr std::uint64_t kSectorsPerBlock = kBlockBytes / kSectorBytes;

/// Of what was in flight when its process or machine died, per mille that still happens.
constexpr std::uint32_t kStillHappens = 500;

}  // namespace

Disk::Disk(Scheduler& scheduler, Draw draw) : scheduler_(scheduler), draw_(draw) {}

Disk::~Disk() = default;

std::unique_ptr<reactor::Files> Disk::make_files(FileCompletion& completion, Draw draw) {
  return std::make_unique<SimulatedFiles>(*this, completion, draw);
}

void Disk::remove(const SimulatedFiles& client) {
  std::erase(clients_, &client);
  std::erase_if(requests_, [&](const auto& entry) { return entry.second.client == &client; });
}

bool Disk::happens(std::uint32_t per_million) {
  return per_million > 0 && draw_.between(0, 999'999) < per_million;
}

void Disk::submit(SimulatedFiles& client, Operation& operation) {
  ++counts_.operations;
  Request request;
  request.operation = &operation;
  request.client = &client;
  request.start = number_;
  if (const SimulatedFiles::Opened* opened = client.opened(operation.file.file)) {
    request.file = opened->file;
    if (operation.kind == Kind::sync) request.file->keep(number_);
  }
  Instant latency = client.draw_.between(law.latency_min_ns, law.latency_max_ns);
  if (happens(law.stalls)) {
    ++counts_.stalls;
    latency += law.stall_ns;
  }
  const std::uint64_t id = ++last_request_;
  requests_.emplace(id, std::move(request));
  const Instant now = scheduler_.now();
  if (operation.kind == Kind::write) {
    schedule(now + client.draw_.between(0, latency), id, Phase::perform);
  }
  schedule(now + latency, id, Phase::complete);
}

void Disk::schedule(Instant time, std::uint64_t id, Phase phase) {
  scheduler_.at(time, *this, id << 1 | static_cast<std::uint64_t>(phase));
}

void Disk::fire(std::uint64_t what) {
  const auto entry = requests_.find(what >> 1);
  if (entry == requests_.end()) return;
  if (static_cast<Phase>(what & 1) == Phase::perform) {
    if (!entry->second.performed && !entry->second.cancelled) perform(entry->second);
    return;
  }
  Request request = std::move(entry->second);
  requests_.erase(entry);
  complete(request);
}

bool Disk::cancel(Operation& operation) {
  const auto entry = std::find_if(requests_.begin(), requests_.end(), [&](const auto& each) {
    return each.second.operation == &operation;
  });
  if (entry == requests_.end()) return false;
  Request& request = entry->second;
  if (request.performed || request.cancelled || !draw_.chance(500)) return true;
  request.cancelled = true;
  schedule(scheduler_.now(), entry->first, Phase::complete);
  return true;
}

void Disk::perform(Request& request) {
  request.performed = true;
  request.result = check(*request.operation, request.file.get());
  if (request.result < 0) return;
  if (fails(request)) {
    fail(request);
    request.result = -EIO;
  } else {
    request.result = act(request);
  }
}

void Disk::complete(Request& request) {
  if (request.cancelled && !request.performed) {
    request.result = -ECANCELED;
  } else {
    if (!request.performed) perform(request);
    finish_write(request);
  }
  if (happens(law.bit_flips)) {
    const std::shared_ptr<DiskFile> file = any_file();
    if (file != nullptr && file->flip_bit(draw_)) ++counts_.bit_flips;
  }
  request.client->completion_.on_file_done(*request.operation, request.result);
}

void Disk::finish_write(Request& request) {
  const Operation& operation = *request.operation;
  if (operation.kind != Kind::write || !operation.file.durable || request.result <= 0) return;
  request.file->sync_part(operation.file.offset, static_cast<std::uint64_t>(request.result),
                          request.number);
}

bool Disk::fails(const Request& request) {
  if (fail_always_) {
    ++counts_.sticky_errors;
    return true;
  }
  const bool asked = request.operation->kind == Kind::sync && std::exchange(fail_next_sync_, false);
  if (!asked && !happens(law.errors)) return false;
  ++counts_.errors;
  return true;
}

void Disk::fail(Request& request) {
  const Operation& operation = *request.operation;
  if (operation.kind == Kind::sync && !request.file->directory()) {
    request.file->fail_sync(0, ~std::uint64_t{0}, request.start, draw_);
  } else if (operation.kind == Kind::write && draw_.chance(kStillHappens)) {
    const std::int32_t written = write(request);
    if (written <= 0 || !operation.file.durable) return;
    request.file->fail_sync(operation.file.offset, static_cast<std::uint64_t>(written),
                            request.number, draw_);
  }
}

void Disk::abandon(FileCompletion& completion) {
  for (SimulatedFiles* client : clients_) {
    if (&client->completion_ == &completion) let_go(*client, false);
  }
}

void Disk::power_loss() {
  for (SimulatedFiles* client : clients_) let_go(*client, true);
  names_.power_loss(draw_);
  PowerLossCounts lost;
  for (const auto& [path, file] : names_.entries()) file->power_loss(draw_, lost);
  counts_.unsynced_sectors_lost += lost.lost;
  counts_.garbled_sectors += lost.garbled;
  for (const auto& [number, write] : lost.writes) {
    counts_.torn_writes += write.reached && write.missed ? 1 : 0;
  }
}

void Disk::wipe() {
  for (SimulatedFiles* client : clients_) let_go(*client, true);
  names_ = DiskNames();
  fail_next_sync_ = fail_always_ = false;
  ++counts_.wipes;
}

bool Disk::put(const std::string& path, std::span<const std::byte> bytes) {
  if (names_.find(path) != nullptr && names_.remove(path, ++number_) < 0) return false;
  if (names_.can_make(path) < 0) return false;
  auto file = std::make_shared<DiskFile>(false);
  names_.make(path, file, ++number_);
  if (!bytes.empty()) file->write(0, bytes, ++number_, nullptr);
  file->sync(number_);
  names_.sync(*names_.find(DiskNames::parent_of(path)), number_);
  return true;
}

std::optional<std::vector<std::byte>> Disk::content(const std::string& path) const {
  const std::shared_ptr<DiskFile> file = names_.find(path);
  if (file == nullptr) return std::nullopt;
  std::vector<std::byte> bytes(file->size());
  file->read(0, bytes, false);
  return bytes;
}

bool Disk::take_over(const std::string& from, const std::string& to) {
  const std::shared_ptr<DiskFile> source = names_.find(from), target = names_.find(to);
  if (source == nullptr || target == nullptr || source->size() != target->size()) return false;
  std::vector<std::byte> bytes(source->size());
  const std::span<std::byte> first = std::span(bytes).first(
      std::min<std::size_t>(bytes.size(), kBlockBytes));
  target->read(0, first, false);
  if (std::any_of(first.begin(), first.end(), [](std::byte b) { return b != std::byte{0}; })) {
    return false;
  }
  source->read(0, bytes, false);
  target->write(0, bytes, ++number_, nullptr);
  target->sync(number_);
  return true;
}

void Disk::let_go(SimulatedFiles& client, bool power) {
  std::vector<Operation*> operations;
  for (auto at = requests_.begin(); at != requests_.end();) {
    Request& request = at->second;
    if (request.client != &client) {
      ++at;
      continue;
    }
    settle(request, power);
    operations.push_back(request.operation);
    at = requests_.erase(at);
  }
  client.abandoned_ = true;
  client.opened_.clear();
  for (Operation* operation : operations) client.completion_.on_file_done(*operation, -EIO);
}

void Disk::settle(Request& request, bool power) {
  const Kind kind = request.operation->kind;
  // Nobody will look into the buffers of a read. What a sync did before the power went is one of
  // the cases that power_loss() draws from anyway.
  if (kind == Kind::read || (kind == Kind::sync && power) || request.cancelled) return;
  if (!request.performed && draw_.chance(kStillHappens)) perform(request);
  if (request.performed && !power && draw_.chance(kStillHappens)) finish_write(request);
}

std::shared_ptr<DiskFile> Disk::any_file() {
  std::vector<std::shared_ptr<DiskFile>> files;
  for (const auto& [path, file] : names_.entries()) {
    if (!file->directory()) files.push_back(file);
  }
  if (files.empty()) return nullptr;
  return files[static_cast<std::size_t>(
      draw_.between(0, static_cast<std::int64_t>(files.size()) - 1))];
}

std::shared_ptr<const Detour> Disk::draw_detour(const DiskFile& file, std::uint64_t offset) {
  if (happens(law.lost_writes)) {
    ++counts_.lost_writes;
    return std::make_shared<Detour>();
  }
  if (!happens(law.misdirected_writes)) return nullptr;
  ++counts_.misdirected_writes;
  auto detour = std::make_shared<Detour>();
  const std::shared_ptr<DiskFile> to = any_file();
  if (to == nullptr || to->size() < kBlockBytes) return detour;
  const auto blocks = static_cast<std::int64_t>(to->size() / kBlockBytes);
  const auto from = static_cast<std::int64_t>(offset / kBlockBytes);
  std::int64_t block = draw_.between(0, blocks - 1);
  if (to.get() == &file && block == from) block = from + 1;
  detour->to = to;
  detour->hits = &counts_.misdirected_sectors;
  detour->shift = (block - from) * static_cast<std::int64_t>(kSectorsPerBlock);
  return detour;
}

}  // namespace quorate::simulation
