#include "client/submit/submit_options.h"

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "common/base/annotate_status.h"
#include "common/base/status_macros.h"
#include "common/config/keys.h"
#include "common/config/properties.h"

namespace millrace {

namespace {

constexpr char kDefaultPropertiesFile[] = "conf/millrace-defaults.conf";

// The line as it is written.
struct Line {
  std::string master;
  std::string deploy_mode;
  std::string name;
  std::vector<std::string> conf;
  std::string properties_file;
  std::string files;
  std::string driver_memory;
  std::string executor_memory;
  int executor_cores = 0;
  int total_executor_cores = 0;
  int num_executors = 0;
  bool supervise = false;
  bool wait = false;
  bool verbose = false;
  bool json = false;
  bool list = false;
  std::string status_id;
  std::string kill_id;
  std::string logs_id;
  RpcSecurityOptions security;
};

void AddOptions(CLI::App& app, Line& line) {
  app.add_option("--master", line.master,
                 "Where it runs: local[N], local[*] (the default), "
                 "local-cluster[workers,cores,memory_mb] or millrace://host:port")
      ->type_name("URL");
  app.add_option("--deploy-mode", line.deploy_mode,
                 "client: main() runs here (the default); cluster: in the cluster")
      ->check(CLI::IsMember({"client", "cluster"}))
      ->type_name("MODE");
  app.add_option("--name", line.name, "The application's name, for people")->type_name("NAME");
  app.add_option("--conf", line.conf, "A setting; may be repeated")
      ->type_name("KEY=VALUE")
      ->allow_extra_args(false);  // What follows one is not another.
  app.add_option(
         "--properties-file", line.properties_file,
         absl::StrCat("Settings, one a line (", kDefaultPropertiesFile, " when there is one)"))
      ->type_name("FILE");
  app.add_option("--files", line.files,
                 "Files, separated by commas, that are put into every working directory")
      ->type_name("A,B");
  app.add_option("--driver-memory", line.driver_memory, "Memory of the driver: 512m, 2g (1g)")
      ->type_name("SIZE");
  app.add_option("--executor-memory", line.executor_memory, "Memory of each worker (1g)")
      ->type_name("SIZE");
  app.add_option("--executor-cores", line.executor_cores,
                 "Task slots of each worker (all of a node)")
      ->check(CLI::PositiveNumber)
      ->type_name("N");
  app.add_option("--total-executor-cores", line.total_executor_cores,
                 "Task slots in the whole cluster (all)")
      ->check(CLI::PositiveNumber)
      ->type_name("N");
  app.add_option("--num-executors", line.num_executors, "Workers (as many as fit)")
      ->check(CLI::PositiveNumber)
      ->type_name("N");
  app.add_flag("--supervise", line.supervise,
               "Start the driver again when it fails (cluster mode)");
  app.add_flag("--wait", line.wait, "Wait for the end of the application (cluster mode)");
  app.add_option("--status", line.status_id, "Say how a submission is doing")->type_name("ID");
  app.add_option("--kill", line.kill_id, "End a submission")->type_name("ID");
  app.add_flag("--list", line.list, "Say what runs in the cluster");
  app.add_option("--logs", line.logs_id, "Print what a submission's driver has written")
      ->type_name("ID");
  app.add_option("--auth_secret_file,--auth-secret-file", line.security.auth_secret_file,
                 "The file with the secret that the cluster's processes share")
      ->type_name("FILE");
  app.add_option("--tls_cert,--tls-cert", line.security.tls_cert, "Certificates for mutual TLS")
      ->type_name("FILE");
  app.add_option("--tls_key,--tls-key", line.security.tls_key, "The key of --tls_cert")
      ->type_name("FILE");
  app.add_option("--tls_ca,--tls-ca", line.security.tls_ca,
                 "The certificates by which peers' are checked")
      ->type_name("FILE");
  app.add_flag("--json", line.json, "Answers for programs");
  app.add_flag("--verbose", line.verbose, "Say which settings there are, and from where");
  app.set_version_flag("--version", absl::StrCat("millrace-submit ", MILLRACE_VERSION));
}

absl::StatusOr<Conf> FlagConf(const Line& line) {
  Conf conf;
  const auto set = [&](const ConfKeyInfo& key, const std::string& value) {
    if (!value.empty()) conf.Set(key.name, value);
  };
  const auto set_number = [&](const ConfKeyInfo& key, int value) {
    if (value > 0) conf.Set(key.name, value);
  };
  // An option of its own counts more than the same setting by --conf.
  for (const std::string& assignment : line.conf) {
    if (absl::Status status = SetFromAssignment(assignment, conf); !status.ok()) {
      return AnnotateStatus(status, "--conf");
    }
  }
  set(keys::kMaster, line.master);
  set(keys::kDeployMode, line.deploy_mode);
  set(keys::kAppName, line.name);
  set(keys::kFiles, line.files);
  set(keys::kDriverMemory, line.driver_memory);
  set(keys::kExecutorMemory, line.executor_memory);
  set_number(keys::kExecutorCores, line.executor_cores);
  set_number(keys::kCoresMax, line.total_executor_cores);
  set_number(keys::kExecutorInstances, line.num_executors);
  if (line.supervise) conf.Set(keys::kDriverSupervise.name, true);
  set(keys::kAuthenticateSecretFile, line.security.auth_secret_file);
  set(keys::kTlsCert, line.security.tls_cert);
  set(keys::kTlsKey, line.security.tls_key);
  set(keys::kTlsCa, line.security.tls_ca);
  return conf;
}

// Only settings of Millrace's are taken from a file.
absl::StatusOr<Conf> FileConf(const Line& line, FileSystem& fs, std::ostream& err) {
  std::string path = line.properties_file;
  if (path.empty()) {
    if (!fs.Stat(kDefaultPropertiesFile).ok()) return Conf();
    path = kDefaultPropertiesFile;
  }
  ASSIGN_OR_RETURN(const Conf all, ReadPropertiesFile(fs, path));
  Conf conf;
  for (const auto& [key, value] : all.entries()) {
    if (key.starts_with(kConfKeyPrefix)) {
      conf.Set(key, value);
    } else {
      err << "millrace-submit: " << path << ": '" << key << "' is left out: settings begin with '"
          << kConfKeyPrefix << "'\n";
    }
  }
  return conf;
}

void PrintOrigins(const Conf& flags, const Conf& file, std::ostream& out) {
  const auto print = [&](const Conf& conf, const char* origin) {
    for (const auto& [key, value] : conf.entries()) {
      if (&conf == &file && flags.Contains(key)) continue;
      out << key << "=" << (IsSecretKey(key) ? "(hidden)" : value) << "  (" << origin << ")\n";
    }
  };
  print(flags, "command line");
  print(file, "properties file");
  out.flush();
}

absl::StatusOr<SubmitVerb> VerbOf(const Line& line, std::string& id) {
  const std::map<SubmitVerb, std::string> ids = {{SubmitVerb::kStatus, line.status_id},
                                                 {SubmitVerb::kKill, line.kill_id},
                                                 {SubmitVerb::kLogs, line.logs_id},
                                                 {SubmitVerb::kList, line.list ? "-" : ""}};
  SubmitVerb verb = SubmitVerb::kRun;
  int count = 0;
  for (const auto& [candidate, text] : ids) {
    if (text.empty()) continue;
    verb = candidate;
    id = text;
    ++count;
  }
  if (count <= 1) return verb;
  return absl::InvalidArgumentError("--status, --kill, --list and --logs exclude one another");
}

absl::Status TakeProgram(const std::vector<std::string>& rest, SubmitOptions& options) {
  if (!rest.empty() && rest.front().starts_with("-") && rest.front() != "--") {
    return absl::InvalidArgumentError(absl::StrCat("'", rest.front(), "' is no option"));
  }
  size_t first = 0;
  if (!rest.empty() && rest.front() == "--") first = 1;
  if (options.verb != SubmitVerb::kRun) {
    if (first == rest.size()) return absl::OkStatus();
    return absl::InvalidArgumentError(
        absl::StrCat("'", rest[first], "': no program is run with this option"));
  }
  if (first == rest.size()) return absl::InvalidArgumentError("which program?");
  options.program = rest[first];
  options.arguments.assign(rest.begin() + static_cast<int64_t>(first) + 1, rest.end());
  return absl::OkStatus();
}

absl::Status CheckProgram(FileSystem& fs, const std::string& program) {
  const auto info = fs.Stat(program);
  if (!info.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat("there is no program '", program, "': name its file, with a directory"));
  }
  if (info->is_dir || ::access(program.c_str(), X_OK) != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("'", program, "' is not a program that can be run"));
  }
  return absl::OkStatus();
}

absl::StatusOr<SubmitOptions> Complete(const Line& line, const std::vector<std::string>& rest,
                                       FileSystem& fs, std::ostream& out, std::ostream& err) {
  SubmitOptions options;
  ASSIGN_OR_RETURN(options.verb, VerbOf(line, options.id));
  RETURN_IF_ERROR(TakeProgram(rest, options));
  ASSIGN_OR_RETURN(options.conf, FlagConf(line));
  ASSIGN_OR_RETURN(const Conf file_conf, FileConf(line, fs, err));
  if (line.verbose) PrintOrigins(options.conf, file_conf, out);
  options.conf.MergeBelow(file_conf);
  ASSIGN_OR_RETURN(const std::string master, options.conf.GetString(keys::kMaster));
  ASSIGN_OR_RETURN(options.master, ParseMasterUrl(master));
  ASSIGN_OR_RETURN(const std::string mode, options.conf.GetString(keys::kDeployMode));
  options.is_cluster_mode = mode == "cluster";
  ASSIGN_OR_RETURN(options.is_supervised, options.conf.GetBool(keys::kDriverSupervise));
  options.waits = line.wait;
  options.is_json = line.json;
  const auto path = [&](const OptionalStringKey& key) {
    return options.conf.GetString(key).value_or("");
  };
  options.security = {.auth_secret_file = path(keys::kAuthenticateSecretFile),
                      .tls_cert = path(keys::kTlsCert),
                      .tls_key = path(keys::kTlsKey),
                      .tls_ca = path(keys::kTlsCa)};
  const bool is_cluster = std::holds_alternative<ClusterMaster>(options.master);
  if (options.verb != SubmitVerb::kRun) {
    if (is_cluster) return options;
    return absl::InvalidArgumentError(
        "which cluster? give --master millrace://host:port of its driver daemon");
  }
  RETURN_IF_ERROR(CheckProgram(fs, options.program));
  if (is_cluster) return options;
  if (options.is_cluster_mode) {
    return absl::InvalidArgumentError(absl::StrCat(
        "--deploy-mode cluster needs --master millrace://host:port, not '", master, "'"));
  }
  return options;
}

}  // namespace

std::variant<SubmitOptions, SubmitExit> ParseSubmitOptions(const std::vector<std::string>& argv,
                                                           FileSystem& fs, std::ostream& out,
                                                           std::ostream& err) {
  CLI::App app(
      "Runs a program that uses Millrace: here, on worker processes, or in a cluster.\n"
      "  millrace-submit [options] <program> [arguments of the program]\n"
      "  millrace-submit --master millrace://host:port --status|--kill|--logs ID, or --list",
      "millrace-submit");
  app.footer(
      "Settings of the program's own Conf come before options, these before the properties file.\n"
      "Exit codes: 0 done; 1 the application failed or the request was refused; 2 wrong usage.\n"
      "  millrace-submit --master 'local[4]' ./word_count localhost 9999\n"
      "  millrace-submit --master millrace://host:7077 --deploy-mode cluster --supervise "
      "./word_count localhost 9999");
  // What stands behind the program is the program's.
  app.prefix_command();
  app.get_formatter()->column_width(34);
  Line line;
  AddOptions(app, line);
  // CLI11 takes them from the back.
  std::vector<std::string> reversed(argv.rbegin(), argv.rend() - (argv.empty() ? 0 : 1));
  try {
    app.parse(std::move(reversed));
  } catch (const CLI::ParseError& error) {
    const bool is_help = error.get_exit_code() == 0;
    app.exit(error, out, err);
    return SubmitExit{.code = is_help ? kExitDone : kExitUsage};
  }
  absl::StatusOr<SubmitOptions> options = Complete(line, app.remaining(), fs, out, err);
  if (options.ok()) return *std::move(options);
  err << "millrace-submit: " << std::string(options.status().message())
      << "\nmillrace-submit --help says what there is\n";
  return SubmitExit{.code = kExitUsage};
}

}  // namespace millrace
