#include "driver/lineage/rdd_node.h"

#include <utility>

namespace millrace::internal {
namespace {

// Parents that nodes which are being destroyed on this thread have let go of.
thread_local std::vector<RddRef>* released_parents = nullptr;

void MoveParents(std::vector<Dependency>& dependencies, std::vector<RddRef>& parents) {
  for (Dependency& dependency : dependencies) parents.push_back(std::move(dependency.parent));
}

}  // namespace

// A node may be the last owner of its parent, and so on through a lineage of any length: the
// outermost destructor releases them one after the other, so that the stack does not grow.
RddNode::~RddNode() {
  if (released_parents != nullptr) {
    MoveParents(dependencies, *released_parents);
    return;
  }
  std::vector<RddRef> parents;
  MoveParents(dependencies, parents);
  released_parents = &parents;
  while (!parents.empty()) {
    const RddRef last = std::move(parents.back());
    parents.pop_back();
  }
  released_parents = nullptr;
}

}  // namespace millrace::internal
