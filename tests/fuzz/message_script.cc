#include "tests/fuzz/message_script.h"

#include <algorithm>
#include <limits>
#include <memory>

namespace millrace::internal {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

// Calls from within calls that add messages to a message.
constexpr int kDepthMax = 6;

class Mutator {
 public:
  explicit Mutator(std::minstd_rand& random) : random_(random) {}

  size_t Below(size_t limit) { return random_() % limit; }

  void Mutate(Message& message, int depth = 0) {
    const auto& descriptor = *message.GetDescriptor();
    if (descriptor.field_count() == 0) return;
    const FieldDescriptor& field =
        *descriptor.field(static_cast<int>(Below(static_cast<size_t>(descriptor.field_count()))));
    const Reflection& reflection = *message.GetReflection();
    if (field.is_repeated()) return MutateRepeated(message, reflection, field, depth);
    if (field.cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) {
      return SetScalar(message, reflection, field);
    }
    if (depth == kDepthMax || Below(8) == 0) return reflection.ClearField(&message, &field);
    Mutate(*reflection.MutableMessage(&message, &field), depth + 1);
  }

  // What programs stumble over: small numbers, powers of two and their neighbours, anything.
  uint64_t Number() {
    const uint64_t power = uint64_t{1} << Below(64);
    switch (Below(6)) {
      case 0:
        return power;
      case 1:
        return power - 1;
      case 2:
        return ~power + 1;
      case 3:
        return (uint64_t{random_()} << 40) ^ (uint64_t{random_()} << 20) ^ random_();
      default:
        return Below(8);
    }
  }

  std::string Text(std::string text, bool is_ascii) {
    const size_t at = text.empty() ? 0 : Below(text.size());
    const auto byte = static_cast<char>(random_() >> 8);
    switch (Below(5)) {
      case 0:
        text.insert(at, 1, byte);
        break;
      case 1:
        if (!text.empty()) text[at] = byte;
        break;
      case 2:
        text.resize(at);
        break;
      case 3:
        text += text.substr(at, 4096);
        break;
      default:
        text = std::string(1, static_cast<char>('A' + Below(58)));
    }
    if (is_ascii) {
      for (char& c : text) c = static_cast<char>(c & 0x7f);
    }
    return text;
  }

 private:
  void MutateRepeated(Message& message, const Reflection& reflection, const FieldDescriptor& field,
                      int depth) {
    const int size = reflection.FieldSize(message, &field);
    const bool is_message = field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE;
    const size_t choice = Below(8);
    if (size == 0 || choice < 2) {
      if (!is_message) return AddScalar(message, reflection, field);
      if (depth == kDepthMax) return;
      Message& added = *reflection.AddMessage(&message, &field);
      if (size > 0 && choice == 0) {
        added.CopyFrom(reflection.GetRepeatedMessage(message, &field, size - 1));
      }
      return Mutate(added, depth + 1);
    }
    const int index = static_cast<int>(Below(static_cast<size_t>(size)));
    if (choice == 2) return reflection.RemoveLast(&message, &field);
    if (choice == 3) return reflection.SwapElements(&message, &field, index, size - 1);
    if (is_message && depth < kDepthMax) {
      return Mutate(*reflection.MutableRepeatedMessage(&message, &field, index), depth + 1);
    }
    reflection.RemoveLast(&message, &field);
    if (!is_message) AddScalar(message, reflection, field);
  }

  void SetScalar(Message& message, const Reflection& reflection, const FieldDescriptor& field) {
    const uint64_t number = Number();
    switch (field.cpp_type()) {
      case FieldDescriptor::CPPTYPE_INT32:
        return reflection.SetInt32(&message, &field, static_cast<int32_t>(number));
      case FieldDescriptor::CPPTYPE_INT64:
        return reflection.SetInt64(&message, &field, static_cast<int64_t>(number));
      case FieldDescriptor::CPPTYPE_UINT32:
        return reflection.SetUInt32(&message, &field, static_cast<uint32_t>(number));
      case FieldDescriptor::CPPTYPE_UINT64:
        return reflection.SetUInt64(&message, &field, number);
      case FieldDescriptor::CPPTYPE_DOUBLE:
        return reflection.SetDouble(&message, &field, Fraction(number));
      case FieldDescriptor::CPPTYPE_FLOAT:
        return reflection.SetFloat(&message, &field, static_cast<float>(number));
      case FieldDescriptor::CPPTYPE_BOOL:
        return reflection.SetBool(&message, &field, number % 2 == 1);
      case FieldDescriptor::CPPTYPE_ENUM:
        return reflection.SetEnumValue(&message, &field, static_cast<int>(number));
      default:
        return reflection.SetString(&message, &field,
                                    Text(reflection.GetString(message, &field),
                                         field.type() == FieldDescriptor::TYPE_STRING));
    }
  }

  void AddScalar(Message& message, const Reflection& reflection, const FieldDescriptor& field) {
    const uint64_t number = Number();
    switch (field.cpp_type()) {
      case FieldDescriptor::CPPTYPE_INT32:
        return reflection.AddInt32(&message, &field, static_cast<int32_t>(number));
      case FieldDescriptor::CPPTYPE_INT64:
        return reflection.AddInt64(&message, &field, static_cast<int64_t>(number));
      case FieldDescriptor::CPPTYPE_UINT32:
        return reflection.AddUInt32(&message, &field, static_cast<uint32_t>(number));
      case FieldDescriptor::CPPTYPE_UINT64:
        return reflection.AddUInt64(&message, &field, number);
      case FieldDescriptor::CPPTYPE_STRING:
        return reflection.AddString(&message, &field,
                                    Text("", field.type() == FieldDescriptor::TYPE_STRING));
      default:
        return;  // Of the others no message has more than one.
    }
  }

  double Fraction(uint64_t number) {
    switch (Below(4)) {
      case 0:
        return std::numeric_limits<double>::quiet_NaN();
      case 1:
        return std::numeric_limits<double>::infinity();
      case 2:
        return -static_cast<double>(number);
      default:
        return static_cast<double>(number);
    }
  }

  std::minstd_rand& random_;
};

void MutateStep(ScriptStep& step, const std::vector<const Message*>& prototypes, Mutator& mutator) {
  const Message* const prototype = prototypes[step.kind % prototypes.size()];
  if (prototype == nullptr) {
    step.bytes = mutator.Text(std::move(step.bytes), /*is_ascii=*/false);
    return;
  }
  const std::unique_ptr<Message> message(prototype->New());
  if (!message->ParseFromString(step.bytes)) message->Clear();
  mutator.Mutate(*message);
  step.bytes = message->SerializeAsString();
}

}  // namespace

std::vector<ScriptStep> ReadScript(std::string_view bytes) {
  std::vector<ScriptStep> steps;
  FuzzBytes input(bytes);
  while (!input.empty() && steps.size() < kScriptStepsMax) {
    const uint8_t kind = input.TakeByte();
    steps.push_back({kind, std::string(input.TakeSized())});
  }
  return steps;
}

std::string WriteScript(const std::vector<ScriptStep>& steps) {
  FuzzWriter script;
  for (const ScriptStep& step : steps) {
    if (step.bytes.size() <= UINT16_MAX) script.PutByte(step.kind).PutSized(step.bytes);
  }
  return script.Take();
}

bool ParseStep(const ScriptStep& step, google::protobuf::Message& message) {
  return message.ParseFromString(step.bytes);
}

std::string MutateScript(std::string_view bytes,
                         const std::vector<const google::protobuf::Message*>& prototypes,
                         std::minstd_rand& random) {
  std::vector<ScriptStep> steps = ReadScript(bytes);
  Mutator mutator(random);
  const size_t at = steps.empty() ? 0 : mutator.Below(steps.size());
  const auto place = steps.begin() + static_cast<std::ptrdiff_t>(at);
  const size_t choice = steps.empty() ? 0 : mutator.Below(16);
  if (choice == 0) {
    const auto kind = static_cast<uint8_t>(mutator.Below(prototypes.size()));
    MutateStep(*steps.insert(place, {kind, ""}), prototypes, mutator);
  } else if (choice == 1) {
    steps.insert(place, ScriptStep(*place));
  } else if (choice == 2) {
    steps.erase(place);
  } else if (choice == 3) {
    std::swap(*place, steps.back());
  } else {
    // Some changes make sense only together.
    for (size_t i = 0; i <= mutator.Below(3); ++i) MutateStep(*place, prototypes, mutator);
  }
  return WriteScript(steps);
}

}  // namespace millrace::internal
