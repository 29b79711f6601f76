// Commands that move frames down and acknowledgements up.

#include "commands.h"

namespace quorate::scenarios {

namespace {

std::uint64_t number_of(const std::string& text, std::uint64_t otherwise) {
  return text.empty() ? otherwise : std::strtoull(text.c_str(), nullptr, 10);
}

const char* name_of(core::PrimaryMachine::AckVerdict verdict) {
  switch (verdict) {
    case core::PrimaryMachine::AckVerdict::counted: return "counted";
    case core::PrimaryMachine::AckVerdict::stale: return "stale, ignored";
    case core::PrimaryMachine::AckVerdict::violation: return "violation, the driver closes";
  }
  return "?";
}

}  // namespace

/// The send stays in flight, as when the replica does not read.
void Commands::start(std::uint32_t i, const Words&, std::ostream& out) {
  const std::size_t frames = world_->start_send(i);
  if (frames == 0) {
    out << "nothing may be sent\n";
    return;
  }
  const core::ReplicaProgress& progress = world_->primary().replica(i);
  out << "sending [" << progress.pin << ", " << progress.sent << "), frames: " << frames << '\n';
}

void Commands::finish(std::uint32_t i, const Words&, std::ostream&) {
  world_->primary().on_send_finished(i);
}

void Commands::send(std::uint32_t i, const Words& words, std::ostream& out) {
  start(i, words, out);
  world_->primary().on_send_finished(i);
}

/// `cut NAME [FRAMES]`: so many frames were consumed or copied, the rest was not sent.
void Commands::cut(std::uint32_t i, const Words& words, std::ostream& out) {
  world_->cut_send(i, number_of(words.argument(1), 0));
  out << "sent until " << world_->primary().replica(i).sent << '\n';
}

void Commands::drain(std::uint32_t i, const Words&, std::ostream&) {
  world_->primary().on_drained(i, world_->reclaimed(), world_->effects);
}

void Commands::lose(std::uint32_t i, const Words&, std::ostream& out) {
  auto& frames = world_->replica(i).frames;
  if (frames.empty()) {
    out << "no frame is on its way\n";
    return;
  }
  out << "frame until " << frames.front().end << " is gone\n";
  frames.pop_front();
}

core::FrameVerdict Commands::deliver_one(std::uint32_t i, const core::FrameInfo& frame,
                                         std::ostream& out) {
  const core::FrameVerdict verdict = world_->deliver(i, frame);
  out << world_->replica(i).name << " gets [" << frame.begin << ", " << frame.end
      << "): " << core::to_string(verdict) << '\n';
  return verdict;
}

/// `deliver NAME [FRAMES]`: all that is on its way, or so many.
void Commands::deliver(std::uint32_t i, const Words& words, std::ostream& out) {
  auto& frames = world_->replica(i).frames;
  std::uint64_t left = number_of(words.argument(1), frames.size());
  for (; left > 0 && !frames.empty(); --left) {
    const core::FrameInfo frame = frames.front();
    frames.pop_front();
    if (deliver_one(i, frame, out) == core::FrameVerdict::accept) continue;
    // A replica closes on whatever does not fit.
    world_->disconnect(i);
    return;
  }
}

/// `forge NAME [begin=N] [end=N] [epoch=N] [previous_epoch=N] [previous=N]`: the next frame on its
/// way, or one of this epoch, with these fields changed. The replica only says what it thinks.
void Commands::forge(std::uint32_t i, const Words& words, std::ostream& out) {
  const auto& frames = world_->replica(i).frames;
  core::FrameInfo frame;
  frame.epoch = frame.previous_epoch = world_->primary().epoch();
  if (!frames.empty()) frame = frames.front();
  frame.begin = number_of(words.option("begin", ""), frame.begin);
  frame.end = number_of(words.option("end", ""), frame.end);
  frame.epoch.number = number_of(words.option("epoch", ""), frame.epoch.number);
  frame.previous_epoch.number =
      number_of(words.option("previous_epoch", ""), frame.previous_epoch.number);
  frame.previous_checksum = static_cast<std::uint32_t>(
      number_of(words.option("previous", ""), frame.previous_checksum));
  out << "[" << frame.begin << ", " << frame.end
      << "): " << core::to_string(world_->replica(i).machine->check_frame(frame)) << '\n';
}

/// What happens when all is well: send, deliver, tell what is committed, apply, acknowledge.
void Commands::flow(std::uint32_t i, const Words& words, std::ostream& out) {
  if (world_->start_send(i) > 0) world_->primary().on_send_finished(i);
  Words all;
  all.arguments = {words.argument(0)};
  deliver(i, all, out);
  world_->replica(i).machine->on_committed(world_->primary().committed());
  world_->replica(i).machine->on_applied(world_->replica(i).machine->exposed());
  ack(i, all, out);
}

void Commands::commit(std::uint32_t i, const Words& words, std::ostream& out) {
  const Position told = number_of(words.argument(1), world_->primary().committed());
  world_->replica(i).machine->on_committed(told);
  out << "told " << told << ", shows " << world_->replica(i).machine->exposed() << '\n';
}

/// `apply NAME [POSITION]`: all that is shown, or up to there.
void Commands::apply(std::uint32_t i, const Words& words, std::ostream& out) {
  core::ReplicaMachine& machine = *world_->replica(i).machine;
  const Position until = number_of(words.argument(1), machine.exposed());
  if (until > machine.exposed()) {
    out << "not shown: only up to " << machine.exposed() << '\n';
    return;
  }
  machine.on_applied(until);
  out << "applied " << machine.applied() << ", room until " << machine.credit_limit() << '\n';
}

/// `emit NAME [received=N] [applied=N] [credit=N]`: puts an acknowledgement on its way; the options
/// forge it.
void Commands::emit(std::uint32_t i, const Words& words, std::ostream&) {
  Replica& replica = world_->replica(i);
  core::Acknowledgement ack = replica.machine->acknowledgement();
  ack.received = number_of(words.option("received", ""), ack.received);
  ack.applied = number_of(words.option("applied", ""), ack.applied);
  ack.credit_limit = number_of(words.option("credit", ""), ack.credit_limit);
  replica.acknowledgements.push_back(ack);
  replica.machine->on_acknowledged();
}

/// The primary gets the oldest acknowledgement on its way.
void Commands::count(std::uint32_t i, const Words&, std::ostream& out) {
  auto& waiting = world_->replica(i).acknowledgements;
  if (waiting.empty()) {
    out << "no acknowledgement is on its way\n";
    return;
  }
  const core::Acknowledgement ack = waiting.front();
  waiting.pop_front();
  const auto verdict =
      world_->primary().on_acknowledgement(i, ack, world_->now, world_->effects);
  out << world_->replica(i).name << " has received " << ack.received << ", applied " << ack.applied
      << ": " << name_of(verdict) << '\n';
}

void Commands::ack(std::uint32_t i, const Words& words, std::ostream& out) {
  emit(i, words, out);
  count(i, words, out);
}

}  // namespace quorate::scenarios
