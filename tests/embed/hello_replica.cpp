#include <quorate/replica.h>

#include <iostream>

int main(int, char** argv) {
  auto replica = quorate::Replica::open({.name = "b", .primary = argv[1]}).value();
  replica.run([](const quorate::Record& record) { std::cout << record.text() << '\n'; }).value();
}
