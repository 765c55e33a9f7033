#include "driver/task/pool_file.h"

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/base/status_macros.h"
#include "tinyxml2.h"

namespace millrace::internal {
namespace {

using tinyxml2::XMLElement;

absl::Status Error(int line, std::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat("line ", line, ": ", std::string(what)));
}

// Blanks at the ends do not count.
std::string TextOf(const XMLElement& element) {
  const char* text = element.GetText();
  return text == nullptr ? "" : std::string(absl::StripAsciiWhitespace(text));
}

absl::StatusOr<int> NumberOf(const XMLElement& element, int least) {
  const std::string text = TextOf(element);
  int number = 0;
  if (absl::SimpleAtoi(text, &number) && number >= least) return number;
  return Error(element.GetLineNum(),
               absl::StrCat(element.Name(), " must be a whole number, at least ", least, ", not '",
                            text, "'"));
}

absl::Status ReadSetting(const XMLElement& element, PoolSpec& pool) {
  const std::string_view name = element.Name();
  if (name == "schedulingMode") {
    const std::string mode = TextOf(element);
    if (mode != "FIFO" && mode != "FAIR") {
      return Error(element.GetLineNum(),
                   absl::StrCat("schedulingMode must be FIFO or FAIR, not '", mode, "'"));
    }
    pool.is_fair = mode == "FAIR";
  } else if (name == "weight") {
    ASSIGN_OR_RETURN(pool.weight, NumberOf(element, 1));
  } else if (name == "minShare") {
    ASSIGN_OR_RETURN(pool.min_share, NumberOf(element, 0));
  } else {
    return Error(
        element.GetLineNum(),
        absl::StrCat("a pool has schedulingMode, weight and minShare, no '", element.Name(), "'"));
  }
  return absl::OkStatus();
}

absl::StatusOr<PoolSpec> ReadPool(const XMLElement& element) {
  PoolSpec pool;
  for (const XMLElement* setting = element.FirstChildElement(); setting != nullptr;
       setting = setting->NextSiblingElement()) {
    RETURN_IF_ERROR(ReadSetting(*setting, pool));
  }
  return pool;
}

}  // namespace

absl::StatusOr<std::map<std::string, PoolSpec>> ParsePools(std::string_view text) {
  tinyxml2::XMLDocument document;
  if (document.Parse(text.data(), text.size()) != tinyxml2::XML_SUCCESS) {
    return Error(document.ErrorLineNum(), absl::StrCat("no XML: ", document.ErrorName()));
  }
  const XMLElement* root = document.RootElement();
  if (root == nullptr || std::string_view(root->Name()) != "allocations") {
    return Error(root == nullptr ? 1 : root->GetLineNum(), "expected <allocations>");
  }
  std::map<std::string, PoolSpec> pools;
  for (const XMLElement* element = root->FirstChildElement(); element != nullptr;
       element = element->NextSiblingElement()) {
    const char* name = element->Attribute("name");
    if (std::string_view(element->Name()) != "pool" || name == nullptr) {
      return Error(element->GetLineNum(),
                   absl::StrCat("expected <pool name=\"...\">, not <", element->Name(), ">"));
    }
    ASSIGN_OR_RETURN(const PoolSpec pool, ReadPool(*element));
    if (!pools.emplace(name, pool).second) {
      return Error(element->GetLineNum(), absl::StrCat("a second pool '", name, "'"));
    }
  }
  return pools;
}

}  // namespace millrace::internal
