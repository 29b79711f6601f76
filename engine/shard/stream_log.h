#pragma once

// The log of one stream on its loop: what the stream's owner, primary or replica, sees of
// engine/log. Frames go in, durable positions come out; what the node must remember is saved beside
// them, and what nobody needs any more is given up. Owned by the stream, used on its loop only.

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "base/time.h"
#include "log/log_limit.h"
#include "log/log_reader.h"
#include "log/log_writer.h"
#include "log/metadata_file.h"
#include "log/retention.h"
#include "log/segment_collector.h"
#include "log/segment_index.h"
#include "quorate/error.h"
#include "reactor/reactor.h"
#include "shard/log_opening.h"
#include "shard/tail_finder.h"

namespace quorate::shard {

class StreamLog final : public log::LogWriter::Listener,
                        private log::MetadataFile::Listener,
                        private log::SegmentCollector::Listener {
 public:
  /// Told from within completions.
  struct Owner {
    virtual void on_log_durable(Position durable) = 0;
    /// A full disk was met or is no longer, the log is full() or no longer, the disk stands still
    /// or no longer, a promise was saved, the log was closed or has failed.
    virtual void on_log_changed() = 0;
    /// Nothing is lost by it, but somebody should know.
    virtual void on_log_trouble(const Error& error) = 0;
    /// The lowest position that somebody still needs of the log.
    [[nodiscard]] virtual Position log_needed_from() const = 0;
    /// What lies behind is not given up at the hard limit either, as what is not committed is not.
    [[nodiscard]] virtual Position log_firm_from() const { return log::kNoHold; }
    /// Whether the log stops at its hard limit for what is not committed; else the limit gives way.
    [[nodiscard]] virtual bool log_waits_for_commit() const { return false; }
    /// It ends there now: see cut() and begin_anew().
    virtual void on_log_cut(const log::LogEnd& end) { static_cast<void>(end); }

   protected:
    ~Owner() = default;
  };

  StreamLog(reactor::Reactor& reactor, const OpenedLog& opened, const log::LogOptions& options,
            Owner& owner);
  ~StreamLog();

  void start();
  /// One frame, which follows the one taken last. False: not now; again once something completed.
  bool append(const wire::FrameHeader& header,
              std::span<const std::span<const std::byte>> pieces);
  /// Once a turn, behind all appends.
  void flush();
  /// Time passes: looks for space again, saves what should be remembered, gives up what nobody
  /// needs and is too old.
  void keep_house(Instant now);

  /// Committed for certain: remembered before long, and when the log is closed. What is not is
  /// never given up.
  void on_committed(Position committed) noexcept { committed_ = committed; }
  /// Nothing older than `epoch` is followed any more; done when promised() says so.
  void promise(const Epoch& epoch);
  [[nodiscard]] const Epoch& promised() const noexcept { return promised_; }

  /// What was taken behind the last frame that ends at `position` or before counts no more; that
  /// frame is told by on_log_cut(). Nothing is taken meanwhile. Never below what is committed.
  void cut(Position position);
  /// The log goes on behind `at`, which it need never have had; nothing before counts any more,
  /// also of what was taken and is not durable yet. on_log_cut(at) tells when that is certain;
  /// until then a crash leaves either log. Readers of what was there before end with
  /// needs_full_copy.
  /// Without effect, as cut(), on a log that is closed, has failed or is cutting(). The caller has
  /// made sure that `at` lies behind what was taken.
  void begin_anew(const log::LogEnd& at);
  /// Nothing is taken meanwhile. Until what was asked for has been told.
  [[nodiscard]] bool cutting() const noexcept { return cut_ != Cut::none; }

  /// The owner takes nothing new any more: what it has is taken, whatever the hard limit is.
  void lift_limit();
  /// Writes what was taken, remembers that nothing can be torn, and ends. See closed().
  void close();
  [[nodiscard]] bool closed() const noexcept { return phase_ == Phase::closed; }
  /// Nothing is in flight, so that this may be destroyed.
  [[nodiscard]] bool idle() const noexcept;

  /// Of this log; it must go before the log does.
  [[nodiscard]] std::unique_ptr<log::LogReader> make_reader(
      log::LogReader::Listener& listener) const;

  /// Where a reader starts to find the frame at or around `position`; none: the log is younger.
  [[nodiscard]] std::optional<Position> unit_around(Position position) const;
  [[nodiscard]] Position first() const noexcept { return index_.first(); }
  [[nodiscard]] Position taken() const noexcept { return writer_->end(); }
  /// Of a log that begins anew, that of the one before until it is told.
  [[nodiscard]] Position durable() const noexcept {
    return anew_ && cut_ >= Cut::starting ? durable_before_ : writer_->durable();
  }
  [[nodiscard]] std::uint64_t disk_bytes() const noexcept { return index_.total_bytes(); }
  [[nodiscard]] log::RetentionState retention() const noexcept { return retention_state_; }
  [[nodiscard]] bool failed() const noexcept { return failed_; }
  [[nodiscard]] bool lacks_space() const noexcept { return !no_space_.text.empty(); }
  /// It stands at its hard limit, and nothing of it may go. Frames are refused; it goes on by
  /// itself when its oldest segment may. Changes are told by on_log_changed().
  [[nodiscard]] bool full() const noexcept { return limit_.full(); }
  /// What it does at its hard limit.
  [[nodiscard]] log::LimitState limit() const noexcept { return limit_.state(); }
  /// Of a failure or of a full disk.
  [[nodiscard]] const Error& error() const noexcept { return failed_ ? failure_ : no_space_; }
  /// A write has not ended for a long time. Nothing is wrong yet, but nothing gets durable.
  [[nodiscard]] bool stalled() const noexcept { return stalled_; }

 private:
  enum class Phase : std::uint8_t { open, draining, saving, closed };
  /// A log that begins anew goes from stopping to remembering; one that is cut from draining to
  /// starting.
  enum class Cut : std::uint8_t {
    none,
    draining,
    finding,
    saving,
    stopping,
    starting,
    remembering,
  };

  void on_durable(Position durable) override;
  void on_unit_durable(const log::DurableUnit& unit) override { index_.on_unit(unit); }
  void on_segment_begun(const log::SegmentHeader& header) override;
  void on_log_failed(const Error& error) override;
  void on_log_space(const Error& error) override;
  void on_saved(const Status& status) override;
  bool on_segment_free(std::uint64_t number) override {
    return number >= recycled_from_ && writer_->recycle(number);
  }
  void on_collected(std::uint64_t) override {}
  void on_not_collected(const Error& error) override;
  void on_collector_failed(const Error& error) override { fail(error); }

  void fail(const Error& error);
  void close_step();
  void cut_step();
  void on_tail_found(const Result<log::LogEnd>& end);
  void stop_writer();
  void begin_behind_cut();
  void on_segment_anew(const log::SegmentHeader& header);
  void tell_cut();
  void retain(Instant now);
  [[nodiscard]] log::RetentionVerdict judge(Instant now);
  void tell_full();
  void save(const log::Metadata& metadata) { metadata_.save(metadata, *this); }
  [[nodiscard]] log::Metadata remembered() const noexcept;

  reactor::Reactor& reactor_;
  const std::string directory_;
  const log::LogOptions options_;
  const log::WriteStart start_;
  Owner& owner_;
  log::MetadataFile metadata_;
  log::SegmentIndex index_;
  std::unique_ptr<log::LogWriter> writer_;
  log::Retention retention_;
  log::RetentionState retention_state_ = log::RetentionState::ok;
  log::LogLimit limit_;
  log::SegmentCollector collector_;
  std::uint64_t oldest_kept_ = 0;  ///< metadata is to say so, and then what is before it goes
  bool retention_due_ = false;     ///< a segment was begun, so another one may have to go
  std::uint64_t last_segment_ = 0;
  /// Files of older segments are not used again: they may hold what nothing explains, or units of
  /// another size.
  std::uint64_t recycled_from_ = 0;
  Phase phase_ = Phase::open;
  Cut cut_ = Cut::none;
  bool anew_ = false;  ///< it is not cut but begins anew
  Position durable_before_ = 0;
  Position cut_at_ = 0;
  log::LogEnd cut_end_;
  std::unique_ptr<TailFinder> finder_;
  Epoch promised_;
  Epoch wanted_promise_;
  Position committed_ = 0;
  Instant house_at_ = 0;
  bool stalled_ = false;
  bool failed_ = false;
  Error failure_;
  Error no_space_;
};

}  // namespace quorate::shard
