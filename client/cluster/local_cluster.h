// The master local-cluster[workers,cores,memory_mb].
#ifndef MILLRACE_CLIENT_CLUSTER_LOCAL_CLUSTER_H_
#define MILLRACE_CLIENT_CLUSTER_LOCAL_CLUSTER_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "client/cluster/cluster_runtime.h"
#include "common/config/conf.h"
#include "common/config/master_url.h"

namespace millrace::internal {

// A ClusterRuntime over worker processes on this machine, which share a secret that is made for
// them. `conf` is for them, `options` says what is not about workers. Files of the workers go into
// a directory of their own in `local_dir`. FailedPrecondition: Init was not called, so this program
// cannot be a worker.
absl::StatusOr<std::shared_ptr<Runtime>> StartLocalCluster(const LocalClusterMaster& master,
                                                           const Conf& conf,
                                                           ClusterRuntime::Options options,
                                                           const std::string& local_dir,
                                                           FileSystem& fs);

}  // namespace millrace::internal

#endif  // MILLRACE_CLIENT_CLUSTER_LOCAL_CLUSTER_H_
