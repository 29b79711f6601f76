// Every option's bounds: the error names the field, what was found, and what is allowed.

#include "rig.h"

namespace quorate {
namespace {

using namespace test;

template <typename Options>
struct Case {
  std::function<void(Options&)> change;
  std::string field;
  std::string found;
  std::string allowed;
};

void expect_refused(const Status& status, const std::string& field, const std::string& found,
                    const std::string& allowed) {
  ASSERT_FALSE(status) << field << " = " << found << " was accepted";
  const std::string& text = status.error().text;
  EXPECT_EQ(text.rfind(field + ":", 0), 0u) << text;
  EXPECT_NE(text.find("found " + found), std::string::npos) << text;
  EXPECT_NE(text.find("allowed " + allowed), std::string::npos) << text;
  EXPECT_EQ(text.find('\n'), std::string::npos) << "one line";
}

template <typename Options>
void expect_each_refused(const Options& good, const std::vector<Case<Options>>& cases) {
  EXPECT_TRUE(good.validate());
  for (const Case<Options>& one : cases) {
    Options options = good;
    one.change(options);
    expect_refused(options.validate(), one.field, one.found, one.allowed);
  }
}

std::vector<std::string> many_names(std::size_t count) {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < count; ++i) names.push_back("r" + std::to_string(i));
  return names;
}

TEST(EngineOptionsBounds, EachFieldNamesItsRange) {
  using O = EngineOptions;
  expect_each_refused<O>(
      {}, {{[](O& o) { o.loops = 0; }, "loops", "0", "1…64"},
           {[](O& o) { o.loops = 65; }, "loops", "65", "1…64"},
           {[](O& o) { o.spin = -1us; }, "spin", "-1 us", "0…1000000 us"},
           {[](O& o) { o.spin = 1000001us; }, "spin", "1000001 us", "0…1000000 us"},
           {[](O& o) { o.congestion_control = "a-name-too-long!"; }, "congestion_control",
            "16 bytes", "0…15 bytes"},
           {[](O& o) { o.socket_buffer_bytes = 4095; }, "socket_buffer_bytes", "4095",
            "4096…1073741824"},
           {[](O& o) { o.socket_buffer_bytes = (1u << 30) + 1; }, "socket_buffer_bytes",
            "1073741825", "4096…1073741824"}});
}

TEST(PrimaryOptionsBounds, EachFieldNamesItsRange) {
  using O = PrimaryOptions;
  PrimaryOptions good;
  good.replicas = {"b", "c"};
  const std::string long_name(65, 'n');
  expect_each_refused<O>(
      good,
      {{[](O& o) { o.directory = "d", o.ring_bytes = 256u << 20; }, "ring_bytes", "268435456",
        "with a directory at most 134217728"},
       {[](O& o) { o.directory = "d", o.storage.segment_bytes = 1u << 20; },
        "storage.segment_bytes", "1048576", "8388608…1073741824"},
       {[](O& o) { o.directory = "d", o.storage.segment_bytes = (8u << 20) + 4096; },
        "storage.segment_bytes", "8392704", "multiples of 1048576"},
       {[](O& o) {
          o.directory = "d", o.ring_bytes = 32u << 20;
          o.storage.segment_bytes = 8u << 20;
        },
        "storage.segment_bytes", "8388608", "16777216…1073741824"},
       {[](O& o) { o.directory = "d", o.storage.retain_bytes_hard = (256u << 20) - 1; },
        "storage.retain_bytes_hard", "268435455",
        "0 or at least 1073741824 (storage.retain_bytes, and four of storage.segment_bytes)"},
       {[](O& o) {
          o.directory = "d", o.storage.retain_bytes = 0;
          o.storage.retain_bytes_hard = (256u << 20) - 1;
        },
        "storage.retain_bytes_hard", "268435455", "0 or at least 268435456"},
       {[](O& o) { o.directory = "d", o.storage.retain_age = -1s; }, "storage.retain_age", "-1 s",
        "0…9223372036 s"},
       {[](O& o) { o.directory = "d", o.storage.retain_age = std::chrono::seconds::max(); },
        "storage.retain_age", "9223372036854775807 s", "0…9223372036 s"},
       {[](O& o) { o.directory = "d", o.streams = 257; }, "streams", "257", "1…256"},
       {[](O& o) { o.cluster = ""; }, "cluster", "0 bytes", "1…64 bytes"},
       {[&](O& o) { o.cluster = long_name; }, "cluster", "65 bytes", "1…64 bytes"},
       {[](O& o) { o.name = ""; }, "name", "0 bytes", "1…64 bytes"},
       {[&](O& o) { o.name = long_name; }, "name", "65 bytes", "1…64 bytes"},
       {[](O& o) { o.replicas = many_names(65); }, "replicas", "65 names", "0…64"},
       {[](O& o) { o.replicas = {""}; }, "replicas", "0 bytes", "1…64 bytes"},
       {[](O& o) {
          o.replicas = {"b", "b"};
        },
        "replicas", "\"b\" twice", "different names"},
       {[](O& o) { o.replicas = {"a"}; }, "replicas", "\"a\" twice", "different names"},
       {[](O& o) { o.streams = 0; }, "streams", "0", "1…65536"},
       {[](O& o) { o.streams = 65537; }, "streams", "65537", "1…65536"},
       {[](O& o) { o.ring_bytes = 0; }, "ring_bytes", "0", "65536…1073741824"},
       {[](O& o) { o.ring_bytes = 32768; }, "ring_bytes", "32768", "65536…1073741824"},
       {[](O& o) { o.ring_bytes = 1ull << 31; }, "ring_bytes", "2147483648", "65536…1073741824"},
       {[](O& o) { o.ring_bytes = 100000; }, "ring_bytes", "100000", "powers of two"},
       {[](O& o) { o.max_record_bytes = 1 << 20; }, "max_record_bytes", "1048576", "0…1048568"},
       {[](O& o) { o.max_batch_bytes = 4095; }, "max_batch_bytes", "4095", "4096…262144"},
       {[](O& o) { o.max_batch_bytes = 262145; }, "max_batch_bytes", "262145", "4096…262144"},
       {[](O& o) { o.protected_copies = 4; }, "protected_copies", "4", "0…3"},
       {[](O& o) { o.floor_copies = 0; }, "floor_copies", "0", "1…3"},
       {[](O& o) { o.floor_copies = 4; }, "floor_copies", "4", "1…3"},
       {[](O& o) { o.rules.resize(17); }, "rules", "17", "0…16"},
       {[](O& o) { o.lag.stall_limit = 0ms; }, "lag.stall_limit", "0 ms", "1…3600000 ms"},
       {[](O& o) { o.lag.stall_limit = 3600001ms; }, "lag.stall_limit", "3600001 ms",
        "1…3600000 ms"},
       {[](O& o) { o.lag.courtesy = -1ms; }, "lag.courtesy", "-1 ms", "0…3600000 ms"},
       {[](O& o) { o.heartbeat = 0ms; }, "heartbeat", "0 ms", "1…60000 ms"},
       {[](O& o) { o.heartbeat = 60001ms; }, "heartbeat", "60001 ms", "1…60000 ms"},
       {[](O& o) { o.peer_timeout = 299ms; }, "peer_timeout", "299 ms", "300…3600000 ms"},
       {[](O& o) { o.claim_deadline = 0ms; }, "claim_deadline", "0 ms", "1…3600000 ms"},
       {[](O& o) { o.close_timeout = -1ms; }, "close_timeout", "-1 ms", "0…3600000 ms"},
       {[](O& o) { o.waiters_max = 0; }, "waiters_max", "0", "1…1048576"},
       {[](O& o) { o.waiters_max = 1048577; }, "waiters_max", "1048577", "1…1048576"},
       {[](O& o) { o.engine.loops = 0; }, "loops", "0", "1…64"}});
}

TEST(ReplicaOptionsBounds, EachFieldNamesItsRange) {
  using O = ReplicaOptions;
  expect_each_refused<O>(
      {}, {{[](O& o) { o.directory = "/d", o.ring_bytes = 256u << 20; }, "ring_bytes", "268435456",
            "with a directory at most 134217728"},
           {[](O& o) { o.directory = "d", o.storage.retain_bytes_hard = 1; },
            "storage.retain_bytes_hard", "1", "0 or at least 1073741824"},
           {[](O& o) { o.cluster = ""; }, "cluster", "0 bytes", "1…64 bytes"},
           {[](O& o) { o.name = ""; }, "name", "0 bytes", "1…64 bytes"},
           {[](O& o) { o.ring_bytes = 65536; }, "ring_bytes", "65536", "524288…1073741824"},
           {[](O& o) { o.ring_bytes = 600000; }, "ring_bytes", "600000", "powers of two"},
           {[](O& o) { o.streams_max = 0; }, "streams_max", "0", "1…65536"},
           {[](O& o) { o.streams_max = 65537; }, "streams_max", "65537", "1…65536"},
           {[](O& o) { o.heartbeat = 0ms; }, "heartbeat", "0 ms", "1…60000 ms"},
           {[](O& o) { o.peer_timeout = 299ms; }, "peer_timeout", "299 ms", "300…3600000 ms"},
           {[](O& o) { o.backoff_min = 0ms; }, "backoff_min", "0 ms", "1…3600000 ms"},
           {[](O& o) { o.backoff_max = 49ms; }, "backoff_max", "49 ms", "50…3600000 ms"},
           {[](O& o) { o.engine.spin = -1us; }, "spin", "-1 us", "0…1000000 us"}});
}

TEST(OptionsBounds, TheLimitsThemselvesAreAllowed) {
  PrimaryOptions primary;
  primary.replicas = many_names(64);
  primary.cluster = primary.name = std::string(64, 'n');
  primary.streams = 65536;
  primary.ring_bytes = 64u << 10;
  primary.max_record_bytes = 16376;
  primary.max_batch_bytes = 4096;
  primary.protected_copies = primary.floor_copies = 65;
  primary.rules.resize(16);
  primary.heartbeat = 60000ms;
  primary.peer_timeout = 180000ms;
  primary.close_timeout = 0ms;
  primary.lag.courtesy = 0ms;
  primary.engine.loops = 64;
  EXPECT_TRUE(primary.validate()) << primary.validate().error().text;
  ReplicaOptions replica;
  replica.ring_bytes = 512u << 10;
  replica.backoff_min = replica.backoff_max = 1ms;
  EXPECT_TRUE(replica.validate()) << replica.validate().error().text;
}

TEST(OptionsBounds, TheLimitsOfALogThemselvesAreAllowed) {
  PrimaryOptions options;
  options.directory = "d";
  options.ring_bytes = 16u << 20;
  options.storage.segment_bytes = 8u << 20;
  options.storage.retain_bytes = options.storage.retain_bytes_hard = 32u << 20;
  options.storage.retain_age = std::chrono::seconds(9'223'372'036);
  EXPECT_TRUE(options.validate()) << options.validate().error().text;
  options.storage.retain_bytes = 0;
  EXPECT_TRUE(options.validate()) << options.validate().error().text;
  options.storage.retain_bytes = ~std::uint64_t{0};
  options.storage.retain_bytes_hard = 0;
  EXPECT_TRUE(options.validate()) << options.validate().error().text;
}

TEST(OptionsBounds, OpeningChecksThem) {
  PrimaryOptions primary;
  primary.streams = 0;
  EXPECT_EQ(Primary::open(primary).error().code, Errc::invalid_option);
  primary = {};
  primary.directory = "/proc/no such place/d";
  EXPECT_EQ(Primary::open(primary).error().code, Errc::io);
  ReplicaOptions replica;
  replica.streams_max = 0;
  EXPECT_EQ(Replica::open(replica).error().code, Errc::invalid_option);
  EngineOptions engine;
  engine.loops = 0;
  EXPECT_EQ(Engine::open(engine).error().code, Errc::invalid_option);
}

TEST(OptionsBounds, AddressesThatAreNoneNameTheirField) {
  for (const char* bad : {"", "localhost", "127.0.0.1:", "127.0.0.1:65536", "::1:80", "x:port"}) {
    PrimaryOptions primary;
    primary.listen = bad;
    const auto listens = Primary::open(primary);
    ASSERT_FALSE(listens) << bad;
    EXPECT_EQ(listens.error().code, Errc::invalid_option);
    EXPECT_EQ(listens.error().text.rfind("listen:", 0), 0u) << listens.error().text;
    ReplicaOptions replica;
    replica.primary = bad;
    const auto dials = Replica::open(replica);
    ASSERT_FALSE(dials) << bad;
    EXPECT_EQ(dials.error().code, Errc::invalid_option);
    EXPECT_EQ(dials.error().text.rfind("primary:", 0), 0u) << dials.error().text;
  }
}

TEST(OptionsBounds, AnAddressInUseIsTheSystemsError) {
  Primary first = Primary::open(PrimaryOptions{}).value();
  PrimaryOptions same;
  same.listen = first.address();
  const auto second = Primary::open(same);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Errc::io);
  EXPECT_EQ(second.error().system_errno, EADDRINUSE);
}

}  // namespace
}  // namespace quorate
