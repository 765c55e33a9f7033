// What else looks like a function and cannot travel to workers.
#include <millrace/millrace.h>

#include <functional>
#include <memory>
#include <string>
#include <string_view>

using Lines = millrace::DStream<std::string_view>;

size_t Size(std::string_view line) { return line.size(); }
int SizeAsInt(std::string_view line) { return static_cast<int>(line.size()); }

struct LongerThan {
  bool operator()(std::string_view line) const { return line.size() > size; }
  size_t size = 0;
};
struct LongerThanThat {
  bool operator()(std::string_view line) const { return line.size() > size; }
  template <class Archive>
  void serialize(Archive& archive) {
    archive(size);
  }
  size_t size = 0;
};
struct NotMadeFromNothing {
  explicit NotMadeFromNothing(size_t size) : size(size) {}
  bool operator()(std::string_view line) const { return line.size() > size; }
  template <class Archive>
  void serialize(Archive& archive) {
    archive(size);
  }
  size_t size;
};

struct Connection {
  Connection() = default;
  std::unique_ptr<int> socket;
};

void Functions(const Lines& lines) {
  // expect-error: Millrace: this function carries data .*std::function.*Write a lambda
  WRONG(lines.Map(std::function<size_t(std::string_view)>(Size)));
  // expect-error: write millrace::Fn<&MyFunction> instead of &MyFunction
  WRONG(lines.Map(&Size));
  // expect-error: write millrace::Fn<&MyFunction>
  WRONG(lines.Map(SizeAsInt));
  // expect-error: write millrace::Fn<&MyFunction>
  WRONG(lines.Filter(+[](std::string_view line) { return line.empty(); }));
  RIGHT(lines.Map(millrace::Fn<&Size>));

  // expect-error: pointer to a member .*write a lambda
  WRONG(lines.Map(&std::string_view::size));
  RIGHT(lines.Map([](std::string_view line) { return line.size(); }));

  // expect-error: Millrace: this function carries data .*template <class Archive> void serialize
  WRONG(lines.Filter(LongerThan{3}));
  // expect-error: default constructor
  WRONG(lines.Filter(NotMadeFromNothing(3)));
  RIGHT(lines.Filter(LongerThanThat{3}));
}

void Bound(const Lines& lines, size_t n) {
  // expect-error: BindFront takes a function without captures: pass what it needs
  WRONG(lines.Map(millrace::BindFront(
      [n](size_t m, std::string_view line) { return line.size() + m + n; }, n)));
  RIGHT(lines.Map(
      millrace::BindFront([](size_t m, std::string_view line) { return line.size() + m; }, n)));

  // expect-error: BindFront: a bound value is of no record type.*serialize
  WRONG(lines.Map(millrace::BindFront(
      [](const Connection&, std::string_view line) { return line.size(); }, Connection())));
  // expect-error: BindFront: a bound value is of no record type
  WRONG(lines.Map(
      millrace::BindFront([](size_t* m, std::string_view line) { return line.size() + *m; }, &n)));
  // expect-error: the function must take the stream's record type
  WRONG(lines.Map(millrace::BindFront([](std::string_view line) { return line.size(); }, n)));
  RIGHT(lines.Map(millrace::BindFront(
      [](const std::string& word, std::string_view line) { return line.find(word); }, "word")));
}
