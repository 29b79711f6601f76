// Addresses as users write them.

#include <gtest/gtest.h>

#include <string>

#include "reactor/reactor.h"

namespace quorate::reactor {
namespace {

TEST(Address, ReadsAndPrintsBothFamilies) {
  EXPECT_EQ(to_string(parse_address("127.0.0.1:7400").value()), "127.0.0.1:7400");
  EXPECT_EQ(to_string(parse_address("[::1]:7400").value()), "[::1]:7400");
  EXPECT_EQ(to_string(parse_address("[fe80::1:2]:0").value()), "[fe80::1:2]:0");
}

TEST(Address, ResolvesNames) {
  const std::string local = to_string(parse_address("localhost:80").value());
  EXPECT_TRUE(local == "127.0.0.1:80" || local == "[::1]:80") << local;
}

TEST(Address, AnEmptyHostIsEveryInterface) {
  const std::string any = to_string(parse_address(":80").value());
  EXPECT_TRUE(any == "0.0.0.0:80" || any == "[::]:80") << any;
}

class BadAddress : public testing::TestWithParam<const char*> {};

TEST_P(BadAddress, IsAnErrorThatShowsItAndWhatIsAllowed) {
  const std::string text = GetParam();
  const auto parsed = parse_address(text);
  ASSERT_FALSE(parsed);
  EXPECT_EQ(parsed.error().code, Errc::invalid_option);
  EXPECT_NE(parsed.error().text.find('"' + text + '"'), std::string::npos) << parsed.error().text;
  EXPECT_NE(parsed.error().text.find("allowed host:port"), std::string::npos);
  EXPECT_EQ(parsed.error().text.find('\n'), std::string::npos);
}

INSTANTIATE_TEST_SUITE_P(Address, BadAddress,
                         testing::Values("", "localhost", "localhost:", "localhost:http",
                                         "localhost:65536", "localhost:-1", "localhost:80x",
                                         "localhost:99999999999999999999", "::1:80",
                                         "host.invalid:80", "[::1:80", "[no:such]:80"));

}  // namespace
}  // namespace quorate::reactor
