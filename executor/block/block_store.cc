#include "executor/block/block_store.h"

#include <numeric>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "common/base/annotate_status.h"
#include "common/base/status_macros.h"

namespace millrace::internal {

namespace {

// A spill that takes longer does not count as room that is about to come.
constexpr absl::Duration kSpillWaitMax = absl::Seconds(10);

size_t TotalBytes(const std::vector<Buffer>& buffers) {
  return std::accumulate(buffers.begin(), buffers.end(), size_t{0},
                         [](size_t sum, const Buffer& buffer) { return sum + buffer.size(); });
}

}  // namespace

std::string ToString(const StoreKey& key) {
  return key.kind == StoreKey::Kind::kBlock
             ? absl::StrCat("block ", key.index, " of stream ", key.id)
             : absl::StrCat("cached partition ", key.index, " of data set ", key.id);
}

BlockStore::~BlockStore() {
  absl::MutexLock lock(&mutex_);
  for (auto it = entries_.begin(); it != entries_.end();) it = Erase(it);
}

// ---------------------------------------------------------------------------------------------
// Putting.

absl::Status BlockStore::Put(const StoreKey& key, StoreData& data) {
  if (data.level == StorageLevel::kNone) {
    return absl::InvalidArgumentError(absl::StrCat(ToString(key), " has no storage level"));
  }
  const size_t bytes = TotalBytes(data.buffers);
  if (UsesMemory(data.level) && bytes <= budget_.limit_bytes()) {
    absl::Status evicted;
    do {
      if (InsertInMemory(key, data)) return absl::OkStatus();
      evicted = EvictOne();
    } while (evicted.ok());
    if (!absl::IsNotFound(evicted)) {
      return AnnotateStatus(evicted, absl::StrCat("making room for ", ToString(key)));
    }
  }
  if (UsesDisk(data.level)) return InsertOnDisk(key, data);
  return absl::ResourceExhaustedError(
      absl::StrCat("no room for ", ToString(key), " of ", bytes, " bytes: ", budget_.used_bytes(),
                   " of the worker's ", budget_.limit_bytes(), " bytes are in use"));
}

bool BlockStore::TryPut(const StoreKey& key, StoreData& data) {
  return UsesMemory(data.level) && InsertInMemory(key, data);
}

bool BlockStore::InsertInMemory(const StoreKey& key, StoreData& data) {
  const size_t bytes = TotalBytes(data.buffers);
  absl::MutexLock lock(&mutex_);
  if (IsBlockThatIsHere(key)) return true;
  if (!budget_.TryReserve(bytes)) return false;
  Entry& entry = Replace(key, bytes);
  entry.data = std::move(data);
  entry.in_memory = true;
  // Nobody else has a received block that is in memory only.
  if (key.kind == StoreKey::Kind::kCached || UsesDisk(entry.data.level)) MakeEvictable(key, entry);
  return true;
}

absl::Status BlockStore::InsertOnDisk(const StoreKey& key, StoreData& data) {
  {
    absl::MutexLock lock(&mutex_);
    if (IsBlockThatIsHere(key)) return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(std::string file, disk_.Write(ToString(key), data.buffers));
  absl::MutexLock lock(&mutex_);
  Entry& entry = Replace(key, TotalBytes(data.buffers));
  entry.data = std::move(data);
  entry.data.buffers.clear();
  entry.file = std::move(file);
  return absl::OkStatus();
}

void BlockStore::AwaitRoom(std::chrono::milliseconds timeout) {
  absl::MutexLock lock(&mutex_);
  room_.WaitWithTimeout(&mutex_, absl::FromChrono(timeout));
}

// ---------------------------------------------------------------------------------------------
// Making room.

bool BlockStore::MakeRoom(size_t bytes) {
  if (bytes > budget_.limit_bytes()) return false;
  while (budget_.free_bytes() < bytes) {
    if (!EvictOne().ok()) return false;
  }
  return true;
}

absl::Status BlockStore::EvictOne() {
  StoreKey key;
  uint64_t version = 0;
  std::vector<Buffer> buffers;
  {
    absl::MutexLock lock(&mutex_);
    if (uses_.empty()) {
      if (spills_under_way_ == 0) return absl::NotFoundError("nothing can be evicted");
      room_.WaitWithTimeout(&mutex_, kSpillWaitMax);
      return absl::OkStatus();
    }
    key = uses_.front();
    const auto it = entries_.find(key);
    Entry& entry = *it->second;
    if (!UsesDisk(entry.data.level)) {
      dropped_.emplace_back(key, entry.data.level);
      Erase(it);
      return absl::OkStatus();
    }
    MakeUnevictable(entry);
    version = entry.version;
    buffers = entry.data.buffers;
    ++spills_under_way_;
  }
  return Spill(key, version, buffers);
}

absl::Status BlockStore::Spill(const StoreKey& key, uint64_t version,
                               const std::vector<Buffer>& buffers) {
  absl::StatusOr<std::string> file = disk_.Write(ToString(key), buffers);
  absl::MutexLock lock(&mutex_);
  --spills_under_way_;
  room_.SignalAll();
  Entry* const entry = Find(key, version);
  if (!file.ok()) {
    if (entry != nullptr) MakeEvictable(key, *entry);
    return file.status();
  }
  if (entry == nullptr) {
    disk_.Discard(*std::move(file));
    return absl::OkStatus();
  }
  entry->file = *std::move(file);
  ReleaseMemory(*entry);
  return absl::OkStatus();
}

// ---------------------------------------------------------------------------------------------
// Reading and dropping.

absl::StatusOr<std::vector<Buffer>> BlockStore::Get(const StoreKey& key) {
  std::string file;
  uint64_t version = 0;
  {
    absl::MutexLock lock(&mutex_);
    const auto it = entries_.find(key);
    if (it == entries_.end())
      return absl::NotFoundError(absl::StrCat(ToString(key), " is not here"));
    Entry& entry = *it->second;
    if (entry.evictable) uses_.splice(uses_.end(), uses_, entry.use);
    if (entry.in_memory) return entry.data.buffers;
    file = entry.file;
    version = entry.version;
  }
  absl::StatusOr<std::vector<Buffer>> buffers = disk_.ReadAll(file);
  if (buffers.ok()) return buffers;
  absl::MutexLock lock(&mutex_);
  if (Find(key, version) != nullptr) return AnnotateStatus(buffers.status(), ToString(key));
  return absl::NotFoundError(absl::StrCat(ToString(key), " was dropped while it was read"));
}

bool BlockStore::Contains(const StoreKey& key) const {
  absl::MutexLock lock(&mutex_);
  return entries_.contains(key);
}

void BlockStore::Drop(const StoreKey& key) {
  absl::MutexLock lock(&mutex_);
  const auto it = entries_.find(key);
  if (it != entries_.end()) Erase(it);
}

void BlockStore::DropRdd(int64_t rdd_id) {
  absl::MutexLock lock(&mutex_);
  auto it = entries_.lower_bound(StoreKey::Cached(rdd_id, 0));
  while (it != entries_.end() && it->first.id == rdd_id) it = Erase(it);
}

void BlockStore::DropRddsBelow(int64_t rdd_id) {
  absl::MutexLock lock(&mutex_);
  auto it = entries_.lower_bound(StoreKey::Cached(0, 0));
  while (it != entries_.end() && it->first.id < rdd_id) it = Erase(it);
}

std::vector<std::pair<StoreKey, StorageLevel>> BlockStore::TakeDropped() {
  absl::MutexLock lock(&mutex_);
  return std::exchange(dropped_, {});
}

size_t BlockStore::entry_count() const {
  absl::MutexLock lock(&mutex_);
  return entries_.size();
}

std::vector<StoreKey> BlockStore::BlockKeys() const {
  absl::MutexLock lock(&mutex_);
  std::vector<StoreKey> keys;
  for (const auto& [key, entry] : entries_) {
    if (key.kind == StoreKey::Kind::kBlock) keys.push_back(key);
  }
  return keys;
}

// ---------------------------------------------------------------------------------------------
// Entries.

bool BlockStore::IsBlockThatIsHere(const StoreKey& key) const {
  return key.kind == StoreKey::Kind::kBlock && entries_.contains(key);
}

BlockStore::Entry& BlockStore::Replace(const StoreKey& key, size_t bytes) {
  const auto old = entries_.find(key);
  if (old != entries_.end()) Erase(old);
  auto entry = std::make_unique<Entry>();
  entry->bytes = bytes;
  entry->version = ++last_version_;
  return *entries_.emplace(key, std::move(entry)).first->second;
}

BlockStore::Entry* BlockStore::Find(const StoreKey& key, uint64_t version) {
  const auto it = entries_.find(key);
  return it == entries_.end() || it->second->version != version ? nullptr : it->second.get();
}

BlockStore::Entries::iterator BlockStore::Erase(Entries::iterator it) {
  Entry& entry = *it->second;
  MakeUnevictable(entry);
  ReleaseMemory(entry);
  if (!entry.file.empty()) disk_.Discard(std::move(entry.file));
  return entries_.erase(it);
}

void BlockStore::ReleaseMemory(Entry& entry) {
  if (!entry.in_memory) return;
  entry.in_memory = false;
  entry.data.buffers.clear();
  budget_.Release(entry.bytes);
  room_.SignalAll();
}

void BlockStore::MakeEvictable(const StoreKey& key, Entry& entry) {
  entry.evictable = true;
  entry.use = uses_.insert(uses_.end(), key);
}

void BlockStore::MakeUnevictable(Entry& entry) {
  if (!entry.evictable) return;
  entry.evictable = false;
  uses_.erase(entry.use);
}

}  // namespace millrace::internal
