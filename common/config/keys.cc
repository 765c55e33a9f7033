#include "common/config/keys.h"

#include <algorithm>
#include <iterator>
#include <numeric>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/match.h"
#include "absl/strings/string_view.h"

namespace millrace {

namespace {

constexpr RetiredKey kRetiredKeys[] = {
    {"millrace.serializer", "records have one compact encoding"},
    {"millrace.kryo.registrationRequired", "records have one compact encoding"},
    {"millrace.cleaner.ttl", "data goes with the last handle of its data set"},
    {"millrace.cleaner.referenceTracking", "data goes with the last handle of its data set"},
    {"millrace.shuffle.service.enabled", "workers outlive their driver and keep shuffle data"},
    {"millrace.streaming.receiver.writeAheadLog.class", "there is one log format"},
    {"millrace.streaming.driver.writeAheadLog.class", "there is one log format"},
    {"millrace.streaming.kafka.consumer.cache.initialCapacity", "the cache grows by itself"},
    {"millrace.streaming.kafka.consumer.cache.loadFactor", "the cache grows by itself"},
    {"millrace.streaming.dynamicAllocation.testing", "tests use the simulated cluster"},
    {"millrace.metrics.conf", "metrics are scraped from /metrics"},
};

// Keys that are known, so that their values are checked, and that nothing reads yet. The check of
// scripts/check_conf_keys.py keeps the table true.
constexpr std::string_view kKeysWithoutEffect[] = {
    "millrace.authenticate",
    "millrace.authenticate.secret",
    "millrace.blockManager.port",
    "millrace.checkpoint.compress",
    "millrace.deploy.defaultCores",
    "millrace.deploy.maxExecutorRetries",
    "millrace.deploy.spreadOut",
    "millrace.driver.bindAddress",
    "millrace.driver.cores",
    "millrace.driver.maxResultSize",
    "millrace.driver.port",
    "millrace.dynamicAllocation.enabled",
    "millrace.executor.heartbeatInterval",
    "millrace.executor.logs.rolling.strategy",
    "millrace.executor.logs.rolling.time.interval",
    "millrace.memory.storageFraction",
    "millrace.metrics.namespace",
    "millrace.port.maxRetries",
    "millrace.rdd.compress",
    "millrace.rpc.askTimeout",
    "millrace.stage.maxConsecutiveAttempts",
    "millrace.storage.replication.proactive",
    "millrace.streaming.backpressure.rateEstimator",
    "millrace.streaming.blockQueueSize",
    "millrace.streaming.clock",
    "millrace.streaming.driver.writeAheadLog.allowBatching",
    "millrace.streaming.driver.writeAheadLog.batchingTimeout",
    "millrace.streaming.driver.writeAheadLog.closeFileAfterWrite",
    "millrace.streaming.driver.writeAheadLog.rollingIntervalSecs",
    "millrace.streaming.kafka.allowNonConsecutiveOffsets",
    "millrace.streaming.kafka.consumer.cache.enabled",
    "millrace.streaming.kafka.consumer.cache.maxCapacity",
    "millrace.streaming.kafka.consumer.poll.ms",
    "millrace.streaming.kafka.maxRatePerPartition",
    "millrace.streaming.kafka.minRatePerPartition",
    "millrace.streaming.kinesis.retry.maxAttempts",
    "millrace.streaming.kinesis.retry.waitTime",
    "millrace.streaming.sessionByKey.deltaChainThreshold",
    "millrace.streaming.ui.retainedBatches",
    "millrace.streaming.unpersist",
    "millrace.task.cpus",
    "millrace.ui.enabled",
    "millrace.ui.port",
    "millrace.ui.retainedJobs",
    "millrace.ui.retainedStages",
    "millrace.worker.timeout",
};

using KeyMap = absl::flat_hash_map<std::string_view, const ConfKeyInfo*>;

KeyMap MakeKeyMap() {
  KeyMap map;
  for (const ConfKeyInfo* key : AllConfKeys()) {
    map.emplace(key->name, key);
    if (!key->older_name.empty()) map.emplace(key->older_name, key);
  }
  return map;
}

std::string_view LastComponent(std::string_view name) { return name.substr(name.rfind('.') + 1); }

bool EqualsIgnoreCase(std::string_view a, std::string_view b) {
  return absl::EqualsIgnoreCase(absl::string_view(a.data(), a.size()),
                                absl::string_view(b.data(), b.size()));
}

// Insertions, deletions and replacements that turn `a` into `b`.
size_t EditDistance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);  // Distances of a's beginning to all beginnings of b.
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = std::exchange(row[0], i);
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({replaced, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row.back();
}

// A right last word in the wrong place is a smaller mistake than its distance says.
size_t MistakeSize(std::string_view written, std::string_view key) {
  constexpr size_t kMisplacedWord = 3;
  const size_t distance = EditDistance(written, key);
  return EqualsIgnoreCase(LastComponent(written), LastComponent(key))
             ? std::min(distance, kMisplacedWord)
             : distance;
}

}  // namespace

const std::vector<const ConfKeyInfo*>& AllConfKeys() {
  static const auto& all = *[] {
    auto* keys = new std::vector<const ConfKeyInfo*>;
    for (const ConfKeyInfo* key : keys::kApplicationKeys) keys->push_back(key);
    for (const ConfKeyInfo* key : keys::kStreamingKeys) keys->push_back(key);
    for (const ConfKeyInfo* key : keys::kEngineKeys) keys->push_back(key);
    return keys;
  }();
  return all;
}

const ConfKeyInfo* FindConfKey(std::string_view name) {
  static const auto& map = *new KeyMap(MakeKeyMap());
  const auto found = map.find(name);
  return found == map.end() ? nullptr : found->second;
}

bool HasEffect(const ConfKeyInfo& key) {
  return std::ranges::find(kKeysWithoutEffect, key.name) == std::end(kKeysWithoutEffect);
}

const RetiredKey* FindRetiredKey(std::string_view name) {
  for (const RetiredKey& key : kRetiredKeys) {
    if (key.name == name) return &key;
  }
  return nullptr;
}

const ConfKeyInfo& NearestConfKey(std::string_view name) {
  // The time that a comparison takes grows with the name, which may be any text.
  constexpr size_t kComparedBytesMax = 200;
  const std::string_view compared = name.substr(0, kComparedBytesMax);
  const auto& keys = AllConfKeys();
  std::vector<size_t> mistakes;
  mistakes.reserve(keys.size());
  for (const ConfKeyInfo* const key : keys) mistakes.push_back(MistakeSize(compared, key->name));
  const auto least = std::min_element(mistakes.begin(), mistakes.end());
  return *keys[static_cast<size_t>(least - mistakes.begin())];
}

}  // namespace millrace
