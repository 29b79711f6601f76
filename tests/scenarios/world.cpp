#include "world.h"

#include <algorithm>

namespace quorate::scenarios {

namespace {

/// Any function of epoch and end would do: it stands for the checksum of a header.
std::uint32_t checksum_of(const Epoch& epoch, Position end) {
  return static_cast<std::uint32_t>(epoch.number * 100003 + end);
}

}  // namespace

World::World(const Settings& settings) : settings_(settings) {
  replicas_.resize(settings.replicas.size());
  for (std::uint32_t i = 0; i < replicas_.size(); ++i) {
    replicas_[i].name = settings.replicas[i];
    restart(i);
  }
  begin_epoch();
}

void World::begin_epoch() {
  for (std::uint32_t i = 0; primary_ != nullptr && i < replicas_.size(); ++i) disconnect(i);
  epoch_ = Epoch{epoch_.number + 1, 1};
  const auto replicas = static_cast<std::uint32_t>(replicas_.size());
  const std::uint32_t majority = (replicas + 1) / 2 + 1;
  const std::uint32_t copies =
      settings_.protected_copies != 0 ? settings_.protected_copies : majority;
  primary_ = std::make_unique<core::PrimaryMachine>(core::PrimaryConfig{
      0, epoch_, replicas, copies, settings_.lag, settings_.stall_ns});
  memory_.assign(kFrames, core::FrameEntry{});
  frames_ = std::make_unique<core::FrameIndex>(memory_);
  sealed_.clear();
  rules_.clear();
  appended_ = reclaimed_ = 0;
}

Result<std::uint32_t> World::add_rule(const std::string& text, const Rule& rule) {
  auto compiled = core::compile_rule(rule, settings_.replicas, settings_.floor_copies);
  if (!compiled) return compiled.error();
  const auto index = static_cast<std::uint32_t>(rules_.size());
  primary_->on_rule(index, compiled.value(), effects);
  rules_.push_back({text, index});
  return index;
}

bool World::append(std::uint64_t bytes) {
  if (appended_ + bytes > reclaimed_ + settings_.ring_bytes) return false;
  appended_ += bytes;
  return true;
}

const core::FrameInfo* World::seal() {
  const Position begin = primary_->sealed();
  if (appended_ == begin || frames_->full()) return nullptr;
  core::FrameInfo frame{0, epoch_, begin, appended_, {}, 0, checksum_of(epoch_, appended_)};
  if (!sealed_.empty()) {
    frame.previous_epoch = epoch_;
    frame.previous_checksum = sealed_.back().checksum;
  }
  sealed_.push_back(frame);
  frames_->push({frame.begin, frame.end, epoch_, frame.checksum, 0});
  primary_->on_sealed(frame.end, effects);
  return &sealed_.back();
}

void World::turn() {
  const Position half = settings_.ring_bytes / 2;
  const Position behind = appended_ > half ? appended_ - half : 0;
  const Position wanted = frames_->end_at_or_before(behind, reclaimed_);
  if (wanted <= reclaimed_) return;
  const Position allowed = primary_->reclaim(wanted, now, effects);
  reclaimed_ = std::max(reclaimed_, frames_->end_at_or_before(allowed, reclaimed_));
  frames_->pop_until(reclaimed_);
}

core::ResumeVerdict World::connect(std::uint32_t i, const core::ResumeClaim& claim) {
  replicas_[i].connected = true;
  return primary_->on_resume(i, claim, {*frames_, reclaimed_}, now, effects);
}

void World::disconnect(std::uint32_t i) {
  Replica& replica = replicas_[i];
  if (!replica.connected) return;
  replica.connected = false;
  replica.frames.clear();
  replica.machine->on_disconnected();
  primary_->on_detached(i);
}

void World::restart(std::uint32_t i) {
  disconnect(i);
  replicas_[i].machine = std::make_unique<core::ReplicaMachine>(
      core::ReplicaStreamConfig{0, ++incarnations_, settings_.replica_ring_bytes});
}

std::size_t World::start_send(std::uint32_t i) {
  const auto range = primary_->sendable(i);
  const Position end = frames_->end_at_or_before(range.end, range.begin);
  if (range.empty() || end <= range.begin) return 0;
  std::uint32_t count = 0;
  for (const core::FrameInfo& frame : sealed_) {
    if (frame.begin < range.begin || frame.end > end) continue;
    replicas_[i].frames.push_back(frame);
    ++count;
  }
  primary_->on_send_started(i, end, count);
  return count;
}

void World::cut_send(std::uint32_t i, std::size_t frames) {
  auto& wire = replicas_[i].frames;
  std::uint32_t unsent = 0;
  for (; wire.size() > frames; ++unsent) wire.pop_back();
  primary_->on_send_cut(i, wire.empty() ? primary_->replica(i).pin : wire.back().end, unsent);
}

core::FrameVerdict World::deliver(std::uint32_t i, const core::FrameInfo& frame) {
  const core::FrameVerdict verdict = replicas_[i].machine->check_frame(frame);
  if (verdict == core::FrameVerdict::accept) replicas_[i].machine->on_frame(frame);
  return verdict;
}

std::uint32_t World::find(const std::string& name) const {
  for (std::uint32_t i = 0; i < replicas_.size(); ++i) {
    if (replicas_[i].name == name) return i;
  }
  return static_cast<std::uint32_t>(replicas_.size());
}

}  // namespace quorate::scenarios
