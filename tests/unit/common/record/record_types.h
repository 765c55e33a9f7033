// One record type of each kind, and values of it.
#ifndef MILLRACE_TESTS_UNIT_COMMON_RECORD_RECORD_TYPES_H_
#define MILLRACE_TESTS_UNIT_COMMON_RECORD_RECORD_TYPES_H_

#include <array>
#include <cstdint>
#include <deque>
#include <forward_list>
#include <limits>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <variant>
#include <vector>

namespace millrace::internal {

enum class Color : uint8_t { kRed, kGreen, kBlue };
enum Plain : uint32_t { kFirst, kSecond };
enum class Flag : bool { kNo, kYes };

struct Empty {
  template <class Archive>
  void serialize(Archive& /*archive*/) {}
  bool operator==(const Empty&) const = default;
};

struct Point {
  int x = 0;
  double y = 0;
  template <class Archive>
  void serialize(Archive& archive) {
    archive(x, y);
  }
  bool operator==(const Point&) const = default;
};

struct Shape {
  std::string name;
  std::vector<Point> corners;
  std::optional<Color> color;
  template <class Archive>
  void serialize(Archive& archive) {
    archive(name, corners);
    archive(color);
  }
  bool operator==(const Shape&) const = default;
};

// A record that holds records of its own type.
struct Tree {
  int value = 0;
  std::vector<Tree> children;
  template <class Archive>
  void serialize(Archive& archive) {
    archive(value, children);
  }
  bool operator==(const Tree&) const = default;
};

// Equal records whose members differ.
struct CaseInsensitive {
  std::string text;
  template <class Archive>
  void serialize(Archive& archive) {
    archive(text);
  }
  std::string Lower() const {
    std::string lower = text;
    for (char& c : lower) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    return lower;
  }
  bool operator==(const CaseInsensitive& other) const { return Lower() == other.Lower(); }
  uint64_t StableHash() const;
};

// Calls `visit(value)` for values of every kind of record.
template <class Visit>
void VisitRecords(const Visit& visit) {
  visit(true);
  visit('c');
  visit(int8_t{-1});
  visit(std::numeric_limits<uint16_t>::max());
  visit(std::numeric_limits<int32_t>::min());
  visit(std::numeric_limits<int64_t>::min());
  visit(std::numeric_limits<uint64_t>::max());
  visit(3.25f);
  visit(-0.0);
  visit(std::numeric_limits<double>::infinity());
  visit(1.5L);
  visit(Color::kBlue);
  visit(kSecond);
  visit(Flag::kYes);
  visit(std::string());
  visit(std::string("nul \0 inside", 12));
  visit(std::string(1000, 'x'));
  visit(std::pair(std::string("key"), int64_t{7}));
  visit(std::tuple<>());
  visit(std::tuple(1, std::string("two"), 3.0));
  visit(std::optional<int>());
  visit(std::optional<std::string>("held"));
  visit(std::variant<int, std::string, Point>(std::string("second")));
  visit(std::variant<int, int>(std::in_place_index<1>, 4));
  visit(std::variant<std::monostate, int>());
  visit(std::monostate());
  visit(std::array<int, 3>{1, 2, 3});
  visit(std::array<int, 0>{});
  visit(std::vector<int>());
  visit(std::vector<std::string>{"a", "", "ccc"});
  visit(std::vector<bool>{true, false, true});
  visit(std::vector<std::vector<int>>{{1}, {}, {2, 3}});
  visit(std::deque<int>{1, 2});
  visit(std::list<int>{1, 2});
  visit(std::forward_list<int>{1, 2, 3});
  visit(std::set<std::string>{"a", "b"});
  visit(std::multiset<int>{1, 1, 2});
  visit(std::unordered_set<int>{1, 2, 3});
  visit(std::unordered_multiset<int>{1, 1});
  visit(std::map<std::string, int>{{"a", 1}, {"b", 2}});
  visit(std::multimap<int, int>{{1, 2}, {1, 1}});
  visit(std::unordered_map<std::string, std::vector<int>>{{"a", {1}}, {"b", {}}});
  visit(std::unordered_multimap<int, int>{{1, 1}});
  visit(Empty());
  visit(std::vector<Empty>(5));
  visit(Point{1, 2.5});
  visit(Shape{"triangle", {{0, 0}, {1, 0}, {0, 1}}, Color::kGreen});
  visit(Tree{1, {{2, {}}, {3, {{4, {}}}}}});
  visit(std::pair(Shape{"dot", {}, {}}, std::map<int, std::optional<Point>>{{1, Point{2, 3}}}));
}

}  // namespace millrace::internal

#endif  // MILLRACE_TESTS_UNIT_COMMON_RECORD_RECORD_TYPES_H_
